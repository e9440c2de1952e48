// What earlier reports say about a report. docs/triage-spec.md, "History facts".

const SIX_WEEKS = 42 * 24 * 60 * 60
const IMPORTANT_CHANGE = 2
const seconds = (instant) => Math.floor(Date.parse(instant) / 1000)

/**
 * Return `{id, history_facts}` of every report, oldest first. A report is
 * `{id, reported_at, pain_score}`; the order in which they are given makes no difference.
 */
export function historyFacts (reports) {
  const inOrder = reports
    .map((report) => ({ ...report, id: report.id.toLowerCase(), at: seconds(report.reported_at) }))
    .sort((one, other) => one.at - other.at || (one.id < other.id ? -1 : 1))
  let start = null
  let baseline = null
  return inOrder.map(({ id, at, pain_score: pain = null }) => {
    const facts = []
    if (start !== null && pain !== 0) {
      if (at - start > SIX_WEEKS) facts.push('persistent_in_history')
      if (baseline !== null && pain !== null && pain - baseline >= IMPORTANT_CHANGE) {
        facts.push('pain_risen_in_history')
      }
    }
    if (pain === 0) {
      start = baseline = null
    } else {
      start ??= at
      baseline ??= pain
    }
    return { id, history_facts: facts }
  })
}
