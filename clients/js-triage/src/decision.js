// The decision: a pure function of rule set and case. docs/triage-spec.md, "Decisions".
import { v5 as uuid5 } from 'uuid'
import { contentHash } from './canonical.js'
import { derive, isOpen } from './facts.js'
import { judge } from './rules.js'

const STATUS_ORDER = ['continue', 'caution', 'pause', 'stop']
const DECISION_NAMESPACE = '5b0f3c0e-6a0b-5e0a-9b53-0d3c5c1f7a11'
const A_DAY = 24 * 60 * 60

/** Seconds since 1970 of an RFC 3339 instant or a Date; fractions are dropped. */
export function seconds (instant) {
  const milliseconds = instant instanceof Date ? instant.getTime() : Date.parse(instant)
  if (Number.isNaN(milliseconds)) throw new Error(`not an instant: ${instant}`)
  return Math.floor(milliseconds / 1000)
}

const written = (at) => new Date(at * 1000).toISOString().replace('.000Z', 'Z')

export function ranksOf (document) {
  return new Map(document.levels.map(({ id, rank }) => [id, rank]))
}

function find (entries, key, value) {
  const found = entries.find((entry) => entry[key] === value)
  if (found === undefined) throw new Error(`the rule set has no ${key} ${value}`)
  return found
}

/** A text in the language of the decision; a missing one must not become "undefined". */
function say (texts, language) {
  if (!Object.hasOwn(texts, language)) throw new Error(`the rule set has no text in ${language}`)
  return texts[language]
}

function localise (document, text, language, country) {
  const known = document.countries.find((entry) => entry.country === country)
  const number = known?.emergency_number ?? say(document.phrases.emergency_number, language)
  return text.replaceAll('{emergency_number}', () => number)
}

function actionText (document, action, { language, country }) {
  const text = localise(document, say(action.text, language), language, country)
  const service = document.countries.find((entry) => entry.country === country)?.urgent_service
  if (action.timeframe !== 'today' || !service) return text
  const phrase = say(document.phrases.urgent_service, language)
  return `${text} ${phrase.replaceAll('{service}', () => say(service, language))}`
}

function message (document, level, given, askFirst) {
  const { language, country, reportedAt, localDate } = given
  const parts = []
  if (reportedAt !== null && localDate !== null && given.evaluatedAt - reportedAt >= A_DAY) {
    parts.push(say(document.phrases.late_report, language).replaceAll('{date}', () => localDate))
  }
  if (askFirst) parts.push(say(document.phrases.answer_first, language))
  parts.push(localise(document, say(level.message, language), language, country))
  return parts.join(' ')
}

function unanswered (document, outcome, openMustAsk, language, rank) {
  const could = new Map(openMustAsk.map((name) => [name, null]))
  for (const rule of outcome.undecided) {
    for (const fact of rule.reads) {
      for (const question of outcome.facts.openQuestions[fact] ?? []) {
        const known = could.get(question) ?? null
        if (known === null || rank.get(rule.level) > rank.get(known)) could.set(question, rule.level)
      }
    }
  }
  return document.questions
    .filter(({ id }) => could.has(id))
    .map(({ id, text }) => ({
      question_id: id,
      text: say(text, language),
      could_raise_to: could.get(id)
    }))
}

/**
 * Return the decision document. `given` holds what `readReport` returns, language, historyFacts,
 * evaluatedAt and reportedAt in seconds, reportId and localDate; what is not there is null.
 */
export function decide (document, given) {
  const { language, historyFacts } = given
  const rank = ranksOf(document)
  const worst = (levels) => levels.reduce((one, other) => rank.get(other) > rank.get(one) ? other : one)
  const outcome = judge(document.rules, derive(document.facts, given.answers, historyFacts))
  const openMustAsk = document.questions
    .filter((question) => question.must_ask && isOpen(given.answers.get(question.id)))
    .map(({ id }) => id)
  const incomplete = openMustAsk.length > 0 || given.answersIgnored

  const counted = [...outcome.fired, ...outcome.broken]
  const level = worst([
    incomplete ? 'screening_incomplete' : 'self_care',
    ...counted.map((rule) => rule.level)
  ])
  const possible = worst([level, ...outcome.undecided.map((rule) => rule.level)])

  const codes = new Set(counted.map((rule) => rule.action))
  if (incomplete) codes.add(document.incomplete_action)
  if (codes.size === 0) codes.add(document.complete_action)
  const actions = document.actions.filter(({ code }) => codes.has(code))
  const status = STATUS_ORDER[Math.max(
    ...actions.map((action) => STATUS_ORDER.indexOf(action.activities))
  )]

  let id = null
  if (given.reportId !== null) {
    const { certain, possible: may } = outcome.facts
    const facts = contentHash({ certain, possible: may, history: historyFacts })
    id = uuid5(`${given.reportId}/${document.hash}/${facts}`, DECISION_NAMESPACE)
  }
  const words = find(document.levels, 'id', level)
  return {
    id,
    level,
    possible_level: possible,
    screening_complete: !incomplete,
    see_professional: rank.get(level) >= rank.get('see_professional'),
    headline: say(words.title, language),
    message: message(document, words, given, rank.get(possible) > rank.get(level)),
    actions: actions.map((action) => ({
      code: action.code,
      text: actionText(document, action, given),
      timeframe: action.timeframe,
      care_setting: action.care_setting
    })),
    // Array.prototype.sort is stable: within a level, the order of the rule set.
    reasons: outcome.fired
      .toSorted((one, other) => rank.get(other.level) - rank.get(one.level))
      .map((rule) => ({
        rule_id: rule.id,
        level: rule.level,
        text: say(rule.text, language),
        facts: rule.reads.filter((fact) => outcome.facts.certain[fact]),
        source_ids: rule.source_ids
      })),
    unanswered: unanswered(document, outcome, openMustAsk, language, rank),
    activities: {
      status,
      text: say(find(document.activity_status, 'status', status).text, language)
    },
    safety_net: [say(document.phrases.safety_net, language)],
    disclaimer: say(document.phrases.disclaimer, language),
    ignored: given.ignored,
    ignored_total: given.ignoredTotal,
    rule_set_version: document.version,
    rule_set_hash: document.hash,
    history_facts: historyFacts,
    evaluated_at: written(given.evaluatedAt),
    language
  }
}

/** Return what the rules say about the pain of a session. */
export function adviseOn (document, painBefore, painAfter, language) {
  const rise = isOpen(painBefore) || isOpen(painAfter) ? null : painAfter - painBefore
  const answers = new Map([['pain_rise', rise], ['pain_after', painAfter]])
  const outcome = judge(document.session_rules, derive(document.session_facts, answers))
  return document.session_rules
    .filter((rule) => outcome.fired.includes(rule) || outcome.broken.includes(rule))
    .map((rule) => {
      const action = find(document.actions, 'code', rule.action)
      return {
        rule_id: rule.id,
        level: rule.level,
        headline: say(find(document.levels, 'id', rule.level).title, language),
        text: say(rule.text, language),
        action: {
          code: action.code,
          text: localise(document, say(action.text, language), language, null),
          timeframe: action.timeframe,
          care_setting: action.care_setting
        },
        source_ids: rule.source_ids
      }
    })
}
