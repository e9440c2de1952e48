// The decision: a pure function of rule set and case. docs/triage-spec.md, "Decisions".
import { v5 as uuid5 } from 'uuid'
import { contentHash } from './canonical.js'
import { derive, isOpen } from './facts.js'
import { judge } from './rules.js'

const STATUS_ORDER = ['continue', 'caution', 'pause', 'stop']
const DECISION_NAMESPACE = '5b0f3c0e-6a0b-5e0a-9b53-0d3c5c1f7a11'
const A_DAY = 24 * 60 * 60
// What is filled in for whom to call, and the number that a country has for it.
const CALLS = [['emergency_call', 'emergency_number'], ['crisis_call', 'crisis_line']]
const SERIOUS = ['urgent', 'emergency']
// As much as a person reads, from the headline to the reasons, where one emergency rule fired.
const MAX_WORDS = 120

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

const countryOf = (document, code) => document.countries.find(({ country }) => country === code)

/** Fill in whom to call, in the person's country or in general. */
function localise (document, text, language, country) {
  const known = countryOf(document, country)
  for (const [name, field] of CALLS) {
    const number = known?.[field]
    const call = number
      ? say(document.phrases[name], language).replaceAll('{number}', () => number)
      : say(document.phrases[`${name}_anywhere`], language)
    text = text.replaceAll(`{${name}}`, () => call)
  }
  return text
}

function actionText (document, action, { language, country }) {
  const text = localise(document, say(action.text, language), language, country)
  const service = countryOf(document, country)?.urgent_service
  if (action.timeframe !== 'today' || !service) return text
  const phrase = say(document.phrases.urgent_service, language)
  return `${text} ${phrase.replaceAll('{service}', () => say(service, language))}`
}

/** What there is to know about this case: that it arrived late, that questions are open. */
function notices (document, given, askFirst) {
  const { language, reportedAt, localDate } = given
  const texts = []
  if (reportedAt !== null && localDate !== null && given.evaluatedAt - reportedAt >= A_DAY) {
    texts.push(say(document.phrases.late_report, language).replaceAll('{date}', () => localDate))
  }
  if (askFirst) texts.push(say(document.phrases.answer_first, language))
  return texts
}

const wordsIn = (texts) => texts.reduce((sum, text) => sum + text.split(' ').length, 0)

/** Leave out the mildest reasons where one emergency is all there is to read about. */
function brief (reasons, fired, read) {
  if (fired.filter(({ level }) => level === 'emergency').length !== 1) return reasons
  let words = wordsIn(read)
  const kept = reasons.findIndex(({ text }, index) => {
    words += wordsIn([text])
    return index > 0 && words > MAX_WORDS
  })
  return kept < 0 ? reasons : reasons.slice(0, kept)
}

/** The strictest status of all actions, shown or not; with serious questions open, no `continue`. */
function activities (document, codes, openSerious, language) {
  const statuses = document.actions.filter(({ code }) => codes.has(code))
    .map((action) => STATUS_ORDER.indexOf(action.activities))
  const caution = STATUS_ORDER.indexOf('caution')
  const worst = Math.max(...statuses, ...(openSerious ? [caution] : []))
  const status = STATUS_ORDER[worst]
  const text = worst === caution && openSerious
    ? document.phrases.questions_first
    : find(document.activity_status, 'status', status).text
  return { status, text: say(text, language) }
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
    .filter(({ id }) => could.has(id) && !outcome.facts.closed.has(id))
    .map(({ id, text }) => ({
      question_id: id,
      text: say(text, language),
      could_raise_to: could.get(id)
    }))
}

const worstOf = (rank, levels) =>
  levels.reduce((one, other) => rank.get(other) > rank.get(one) ? other : one)

/** What must be asked and has no answer. */
function missing (document, answers, facts) {
  return document.questions
    .filter(({ id, must_ask: must }) => must && isOpen(answers.get(id)) && !facts.closed.has(id))
    .map(({ id }) => id)
}

/** The level alone. */
export function levelOf (document, answers, facts) {
  const outcome = judge(document.rules, facts)
  const open = missing(document, answers, facts).length > 0 ||
    outcome.undecided.some((rule) => SERIOUS.includes(rule.level))
  return worstOf(ranksOf(document), [
    open ? 'screening_incomplete' : 'self_care',
    ...[...outcome.fired, ...outcome.broken].map((rule) => rule.level)
  ])
}

/**
 * Return the decision document. `given` holds what `readReport` returns, language, historyFacts,
 * evaluatedAt and reportedAt in seconds, reportId and localDate; what is not there is null.
 */
export function decide (document, given) {
  const { language, historyFacts } = given
  const rank = ranksOf(document)
  const worst = (levels) => worstOf(rank, levels)
  const facts = derive(document.facts, given.answers, historyFacts, document.questions)
  const outcome = judge(document.rules, facts)
  const openMustAsk = missing(document, given.answers, facts)
  const openSerious = outcome.undecided.some((rule) => SERIOUS.includes(rule.level))
  const incomplete = openMustAsk.length > 0 || given.answersIgnored || openSerious

  const counted = [...outcome.fired, ...outcome.broken]
  const level = worst([
    incomplete ? 'screening_incomplete' : 'self_care',
    ...counted.map((rule) => rule.level)
  ])
  const possible = worst([level, ...outcome.undecided.map((rule) => rule.level)])

  // All that is asked of the person; of that, those of the level are shown.
  const asked = new Set(counted.map((rule) => rule.action))
  if (incomplete) asked.add(document.incomplete_action)
  if (asked.size === 0) {
    asked.add(document.complete_actions.find(({ fact }) => fact === null || facts.certain[fact]).action)
  }
  const ofLevel = counted.filter((rule) => rule.level === level).map((rule) => rule.action)
  const codes = ofLevel.length > 0 ? new Set(ofLevel) : asked
  const chosen = document.actions.filter(({ code }) => codes.has(code))
  const replaced = new Set(chosen.flatMap((action) => action.replaces))
  const actions = chosen.filter(({ code }) => !replaced.has(code))

  let id = null
  if (given.reportId !== null) {
    const { certain, possible: may } = facts
    const hash = contentHash({ certain, possible: may, history: historyFacts })
    id = uuid5(`${given.reportId}/${document.hash}/${hash}`, DECISION_NAMESPACE)
  }
  const { country } = given
  const headline = localise(document, say(actions[0].headline, language), language, country)
  const levelText = say(find(document.levels, 'id', level).message, language)
  const message = localise(document, levelText, language, country)
  const texts = actions.map((action) => actionText(document, action, given))
  const notes = notices(document, given, rank.get(possible) > rank.get(level))
  // Array.prototype.sort is stable: within a level, the order of the rule set.
  const reasons = outcome.fired
    .toSorted((one, other) => rank.get(other.level) - rank.get(one.level))
    .map((rule) => ({
      rule_id: rule.id,
      level: rule.level,
      text: say(rule.text, language),
      facts: rule.reads.filter((fact) => outcome.facts.certain[fact]),
      source_ids: rule.source_ids
    }))
  return {
    id,
    level,
    possible_level: possible,
    screening_complete: !incomplete,
    see_professional: rank.get(level) >= rank.get('see_professional'),
    headline,
    message,
    actions: actions.map((action, index) => ({
      code: action.code,
      text: texts[index],
      timeframe: action.timeframe,
      care_setting: action.care_setting
    })),
    notices: notes,
    reasons: brief(reasons, outcome.fired, [headline, message, ...texts, ...notes]),
    unanswered: unanswered(document, outcome, openMustAsk, language, rank),
    activities: activities(document, asked, openSerious, language),
    safety_net: document.safety_net.map((part) => ({
      title: localise(document, say(part.title, language), language, country),
      signs: part.signs.map((sign) => say(sign, language))
    })),
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
        headline: localise(document, say(action.headline, language), language, null),
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
