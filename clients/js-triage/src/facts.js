// Facts: what rules read. Each is a pair, what is certain and what is possible.
// docs/triage-spec.md, "Facts".

const SIDES = { left: ['left'], right: ['right'], both: ['left', 'right'] }

/** Left out, null and `unknown` are the same: not answered. */
export function isOpen (answer) {
  return answer === undefined || answer === null || answer === 'unknown'
}

/** Without a prototype, so that a fact named `constructor` is a fact like any other. */
const table = () => Object.create(null)

function fromAnswers (fact, answers) {
  const values = fact.questions.map((question) => answers.get(question))
  if (fact.kind === 'both_sides') {
    const sides = new Set(values.flatMap((value) => SIDES[value] ?? []))
    const certain = sides.size === 2
    return [certain, certain || values.some(isOpen)]
  }
  const [value] = values
  if (isOpen(value)) return [false, true]
  switch (fact.kind) {
    case 'answer': return Array(2).fill(fact.choices.includes(value))
    case 'at_least': return Array(2).fill(value >= fact.value)
    case 'at_most': return Array(2).fill(value <= fact.value)
    default: throw new Error(`unknown kind of fact: ${fact.kind}`)
  }
}

/** The choice that says that nothing is the matter, of a question that can be ticked; or null. */
export function mildest ({ choices }) {
  return ['no', 'none'].find((name) => choices.some(({ id }) => id === name)) ?? null
}

/**
 * Compute every fact from the answers of a report (a Map) and its history facts. A question that is
 * asked if a fact holds counts as answered mildly while it is open and that fact is not possible;
 * `closed` holds those.
 */
export function derive (definitions, answers, history = [], questions = []) {
  const [certain, possible, openQuestions] = [table(), table(), table()]
  const closed = new Set()
  const conditional = questions.filter((question) => question.asked_if !== null &&
    mildest(question) !== null && isOpen(answers.get(question.id)))
  answers = new Map(answers)
  for (const { id, kind, facts: parts, ...fact } of definitions) {
    if (kind === 'any') {
      certain[id] = parts.some((part) => certain[part])
      possible[id] = parts.some((part) => possible[part])
    } else if (kind === 'all') {
      certain[id] = parts.every((part) => certain[part])
      possible[id] = parts.every((part) => possible[part])
    } else if (kind === 'not_given') {
      certain[id] = possible[id] = !parts.some((part) => certain[part])
    } else if (kind === 'history') {
      certain[id] = possible[id] = history.includes(id)
    } else {
      [certain[id], possible[id]] = fromAnswers({ kind, ...fact }, answers)
    }
    openQuestions[id] = new Set([
      ...fact.questions.filter((question) => isOpen(answers.get(question))),
      ...parts.flatMap((part) => [...openQuestions[part]])
    ])
    if (possible[id]) continue
    for (const question of conditional.filter((question) => question.asked_if === id)) {
      closed.add(question.id)
      answers.set(question.id, mildest(question))
    }
  }
  return { certain, possible, openQuestions, closed }
}
