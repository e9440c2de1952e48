// Rules: monotone JsonLogic over facts, with three outcomes. docs/triage-spec.md, "Rules".
//
// json-logic-engine rather than json-logic-js: it is maintained (the other's newest release, 2.0.5, is
// from 2024), is held to the shared suite of the json-logic organisation, and throws on an unknown
// operator. Only its interpreter is used, never its compiler, which calls eval: apps forbid that, and
// so do our tests.
import { LogicEngine } from 'json-logic-engine'

const engine = new LogicEngine()
const FACT_NAME = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/
const isBoolean = (value) => typeof value === 'boolean'
const isOperand = (value) => isBoolean(value) || wellFormed(value)

/** Whether a condition keeps to the grammar within which all JsonLogic libraries agree. */
export function wellFormed (condition) {
  if (condition === null || typeof condition !== 'object' || Array.isArray(condition)) return false
  const [[operator, operands] = [], ...others] = Object.entries(condition)
  if (operator === undefined || others.length > 0) return false
  if (operator === 'var') return typeof operands === 'string' && FACT_NAME.test(operands)
  if (!Array.isArray(operands)) return false
  switch (operator) {
    case 'and':
    case 'or':
      return operands.length > 0 && operands.every(wellFormed)
    case '===':
      return operands.length === 2 && operands.every(isOperand)
    case 'in':
      return operands.length === 2 && wellFormed(operands[0]) &&
        Array.isArray(operands[1]) && operands[1].every(isBoolean)
    default:
      return false
  }
}

/** True or false; null where it can't be told, which makes the rule broken. */
function outcome (condition, facts) {
  if (!wellFormed(condition)) return null
  try {
    const value = engine.run(condition, facts)
    return isBoolean(value) ? value : null
  } catch {
    return null
  }
}

/** Evaluate every rule over the certain and over the possible facts. */
export function judge (rules, facts) {
  const [fired, undecided, broken] = [[], [], []]
  for (const rule of rules) {
    const now = outcome(rule.condition, facts.certain)
    const maybe = outcome(rule.condition, facts.possible)
    if (now) fired.push(rule)
    else if (maybe !== false) undecided.push(rule)
    if (now === null || maybe === null) broken.push(rule)
  }
  return { facts, fired, undecided, broken }
}
