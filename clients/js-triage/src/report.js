// A report, read as the server reads it: what can't be used counts as not answered, and is listed.
// docs/triage-spec.md, "Reports".
import { isOpen } from './facts.js'

/** Questions with a field of their own; every other one is answered in `answers`. */
export const FIELDS = ['pain_score', 'weeks', 'trend', 'age_years']
// What a stored report has besides, and no decision is made on: a whole report may be evaluated.
const PASSED_OVER = ['id', 'reported_at', 'local_date', 'time_zone', 'note', 'device_decision']
const MAX_IGNORED = 50
const MAX_NAME = 64
const COUNTRY = /^[A-Za-z]{2}$/

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value)

/** A name in a JSON Pointer, cut to so many characters (code points) and with no half of one. */
function escape (name) {
  const short = [...name].slice(0, MAX_NAME).join('').toWellFormed()
  return short.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** By UTF-16 code units, which is how strings compare here. */
function inOrder (one, other) {
  if (one.pointer !== other.pointer) return one.pointer < other.pointer ? -1 : 1
  return one.code < other.code ? -1 : Number(one.code > other.code)
}

/** Why an answer can't be used, or null. */
function fault (question, value) {
  if (question.choices.length > 0) {
    return question.choices.some(({ id }) => id === value) ? null : 'unknown_choice'
  }
  const { minimum, maximum } = question
  return Number.isInteger(value) && value >= minimum && value <= maximum ? null : 'invalid_value'
}

/**
 * Read any object as a report: `answers` (a Map by question), `country`, `ignored` (the first 50
 * places, as `{pointer, code}`), `ignoredTotal`, and `answersIgnored`, whether an answer is among
 * them. Throws for what is no object.
 */
export function readReport (document, report) {
  if (!isObject(report)) throw new Error('a report is an object')
  const questions = new Map(document.questions.map((question) => [question.id, question]))
  const answers = new Map()
  const ignored = []
  let country = null
  let answersIgnored = false
  const ignore = (names, code, answer = true) => {
    ignored.push({ pointer: names.map((name) => `/${escape(name)}`).join(''), code })
    answersIgnored ||= answer
  }
  const take = (name, value, place) => {
    if (isOpen(value)) return
    const code = fault(questions.get(name), value)
    if (code === null) answers.set(name, value)
    else ignore(place, code)
  }
  for (const [name, value] of Object.entries(report)) {
    if (FIELDS.includes(name) && questions.has(name)) take(name, value, [name])
    else if (name === 'answers') {
      if (value === null || value === undefined) continue
      if (!isObject(value)) ignore(['answers'], 'invalid_value')
      else {
        for (const [question, answer] of Object.entries(value)) {
          const place = ['answers', question]
          if (answer === null || answer === undefined) continue
          if (FIELDS.includes(question) || !questions.has(question)) ignore(place, 'unknown_question')
          else take(question, answer, place)
        }
      }
    } else if (name === 'country') {
      if (typeof value === 'string' && COUNTRY.test(value)) country = value.toUpperCase()
      else if (value !== null && value !== undefined) ignore(['country'], 'invalid_value', false)
    } else if (!PASSED_OVER.includes(name)) {
      // An answer that stands in the wrong place was still meant as one.
      ignore([name], 'unknown_field', questions.has(name))
    }
  }
  const first = ignored.toSorted(inOrder).slice(0, MAX_IGNORED)
  return { answers, country, ignored: first, ignoredTotal: ignored.length, answersIgnored }
}
