// A report, read as the server reads it. docs/triage-spec.md, "Reports".

/** Questions with a field of their own; every other one is answered in `answers`. */
export const FIELDS = ['pain_score', 'weeks', 'trend', 'age_years']
const COUNTRY = /^[A-Z]{2}$/

/** What is wrong in a report: `faults` are `{pointer, message}`, as in the server's 422. */
export class InvalidReport extends Error {
  name = 'InvalidReport'

  constructor (faults) {
    super(faults.map(({ pointer, message }) => `${pointer}: ${message}`).join('; '))
    this.faults = faults
  }
}

const escape = (name) => name.replaceAll('~', '~0').replaceAll('/', '~1')

function fieldFault (question, value) {
  if (question.type === 'integer') {
    const { minimum, maximum } = question
    if (Number.isInteger(value) && value >= minimum && value <= maximum) return null
    return `must be a whole number from ${minimum} to ${maximum}`
  }
  const choices = question.choices.map(({ id }) => id)
  return choices.includes(value) ? null : `there is no such choice; there is ${choices.join(', ')}`
}

/** Return every answer by its question, as a Map; throw InvalidReport naming every fault. */
export function readAnswers (document, report) {
  const questions = new Map(document.questions.map((question) => [question.id, question]))
  const answers = new Map()
  const faults = []
  const read = (name, value, pointer) => {
    answers.set(name, value)
    if (value === null || value === undefined) return
    const message = fieldFault(questions.get(name), value)
    if (message !== null) faults.push({ pointer, message })
  }
  for (const [name, value] of Object.entries(report)) {
    if (FIELDS.includes(name)) read(name, value, `/${name}`)
    else if (name === 'country') {
      if (value !== null && value !== undefined && !COUNTRY.test(value)) {
        faults.push({ pointer: '/country', message: 'must be ISO 3166-1 alpha-2, such as ES' })
      }
    } else if (name !== 'answers') faults.push({ pointer: `/${escape(name)}`, message: 'no such field' })
  }
  for (const [name, value] of Object.entries(report.answers ?? {})) {
    const pointer = `/answers/${escape(name)}`
    if (FIELDS.includes(name) || !questions.has(name)) {
      faults.push({ pointer, message: 'there is no such question' })
    } else read(name, value, pointer)
  }
  if (faults.length > 0) throw new InvalidReport(faults)
  return answers
}
