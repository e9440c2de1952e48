// Screens: questions that are ticked together. docs/triage-spec.md, "Screens".
import { levelOf } from './decision.js'
import { derive, isOpen, mildest } from './facts.js'

/**
 * The first screen that asks something, as `{screen_id, questions}`, and what confirming it answers
 * if nothing on it is ticked; null where nothing is left to ask, and in an emergency.
 */
export function screenAfter (document, answers, historyFacts, skipped) {
  const facts = derive(document.facts, answers, historyFacts, document.questions)
  if (levelOf(document, answers, facts) === 'emergency') return null
  for (const { id, questions } of document.screens) {
    const asked = questions.filter((name) => isOpen(answers.get(name)) && !facts.closed.has(name))
    if (asked.length > 0 && !skipped.includes(id)) return { screen_id: id, questions: asked }
  }
  return null
}

/** What confirming a screen answers: the mildest choice of all that was not ticked. */
export function confirmation (document, screen) {
  const questions = new Map(document.questions.map((question) => [question.id, question]))
  const mild = screen.questions.map((name) => [name, mildest(questions.get(name))])
  return Object.fromEntries(mild.filter(([, choice]) => choice !== null))
}
