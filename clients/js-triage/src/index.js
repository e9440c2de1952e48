// Footing's triage on a phone: docs/triage-spec.md, in JavaScript.
import { validate as isUuid } from 'uuid'
import { cautiousOutcome } from './cautious.js'
import { adviseOn, decide, ranksOf, seconds } from './decision.js'
import { checkRuleSet } from './integrity.js'
import { readReport } from './report.js'
import { confirmation, screenAfter } from './screens.js'

export { canonicalBytes } from './canonical.js'
export { CANNOT_EVALUATE, cautiousOutcome } from './cautious.js'
export { historyFacts } from './history.js'
export { ENGINE, keyId } from './integrity.js'
export { readReport } from './report.js'

const LOCAL_DATE = /^\d{4}-\d{2}-\d{2}$/

/** A rule set that was checked; `fault` is the error that keeps it from being used, or null. */
class OpenRuleSet {
  constructor (document, options) {
    this.document = null
    this.fault = null
    try {
      // A copy: what is changed after the check must not decide.
      this.document = structuredClone(document)
      checkRuleSet(this.document, options)
    } catch (error) {
      this.fault = error
    }
  }
}

/**
 * Check a rule set once, for many evaluations: its hash, its engine, its words, and, where
 * `trustedKeys` (public keys in PEM) are given, its signature. Never throws: look at `fault`.
 */
export function openRuleSet (document, { trustedKeys, withdrawn } = {}) {
  return new OpenRuleSet(document, { trustedKeys, withdrawn })
}

function opened (ruleSet, options) {
  const open = ruleSet instanceof OpenRuleSet ? ruleSet : openRuleSet(ruleSet, options)
  if (open.fault !== null) throw open.fault
  return open.document
}

function caseOf (document, report, options) {
  const { language, evaluatedAt, reportId, reportedAt, localDate, historyFacts } = options
  if (reportId !== null && !isUuid(reportId)) throw new Error(`not a UUID: ${reportId}`)
  if (localDate !== null && !LOCAL_DATE.test(localDate)) throw new Error(`not a date: ${localDate}`)
  return {
    ...readReport(document, report),
    language,
    historyFacts: [...historyFacts],
    evaluatedAt: seconds(evaluatedAt),
    reportId: reportId === null ? null : reportId.toLowerCase(),
    reportedAt: reportedAt === null ? null : seconds(reportedAt),
    localDate
  }
}

/**
 * Decide on a report, in the form of `POST /v1/triage/evaluations`. What of it can't be used counts
 * as not answered, and is listed in `ignored`. Never throws: whatever goes wrong gives the cautious
 * outcome, and `onError` is told.
 *
 * - `ruleSet`: what `openRuleSet` returned, or the document as served.
 * - `evaluatedAt`: now, by default.
 * - `reportId`, `reportedAt`, `localDate`: of a report that is stored.
 * - `historyFacts`: of this report, see `historyFacts()`.
 * - `confirmedAt`: when the server last said that this rule set is in force.
 */
export function evaluate (ruleSet, report, {
  language = 'en',
  evaluatedAt = new Date(),
  reportId = null,
  reportedAt = null,
  localDate = null,
  historyFacts = [],
  confirmedAt = null,
  trustedKeys,
  withdrawn,
  onError = () => {}
} = {}) {
  const cautious = () => cautiousOutcome(ruleSet, { language, evaluatedAt, historyFacts })
  try {
    const document = opened(ruleSet, { trustedKeys, withdrawn })
    const options = { language, evaluatedAt, reportId, reportedAt, localDate, historyFacts }
    const given = caseOf(document, report, options)
    const decision = decide(document, given)
    if (confirmedAt === null) return decision
    const age = given.evaluatedAt - seconds(confirmedAt)
    if (age <= document.max_offline_age_seconds) return decision
    onError(new Error(`the rule set was last confirmed ${age} seconds ago`))
    // What it found is still told where it is at least as serious.
    const instead = cautious()
    const rank = ranksOf(document)
    return rank.get(decision.level) >= rank.get(instead.level) ? decision : instead
  } catch (error) {
    onError(error)
    return cautious()
  }
}

/**
 * The screen to show next, as `{screen_id, questions}`: the first one that asks something and was
 * not skipped. Null where nothing is left to ask, and in an emergency: then evaluate, and show the
 * decision. Throws where the rule set can't be used.
 */
export function nextScreen (ruleSet, report, { skipped = [], historyFacts = [] } = {}) {
  const document = opened(ruleSet)
  return screenAfter(document, readReport(document, report).answers, historyFacts, skipped)
}

/**
 * What confirming a screen answers, by question: `no` or `none` for each question that it asks and
 * that was not ticked. Call nextScreen again after each tick, for what that opened or answered.
 */
export function confirmScreen (ruleSet, screen) {
  return confirmation(opened(ruleSet), screen)
}

/** Advise on the pain of a session; throws where the rule set can't be used. */
export function advise (ruleSet, { painBefore = null, painAfter = null }, { language = 'en' } = {}) {
  return adviseOn(opened(ruleSet), painBefore, painAfter, language)
}
