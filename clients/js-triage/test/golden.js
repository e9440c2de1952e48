// The golden cases; `python -m tests.triage.golden` writes them anew at the root of the repository.
import { readFileSync } from 'node:fs'

const read = (name) => JSON.parse(readFileSync(new URL(`golden/${name}`, import.meta.url), 'utf8'))

export const { reports, screens, sessions } = read('vectors.json')
/** A fresh copy each time, for tests to damage. */
export const ruleSet = () => read('rule-set.json')
export const reportOf = (name) => structuredClone(reports.find((vector) => vector.name === name).report)
