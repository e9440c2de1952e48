// What a phone shows when it can't decide: never "no flag". docs/triage-spec.md, "The cautious
// outcome". Its words can't come from the rule set, which may be what is broken.
import { createRequire } from 'node:module'

// Not `import … with { type: 'json' }`: early releases of Node 20 warn about it.
const WORDS = createRequire(import.meta.url)('./cautious.json')

/** The code of the action by which an app tells this outcome from a decision. */
export const CANNOT_EVALUATE = 'cannot_evaluate'

const text = (value) => typeof value === 'string' ? value : null

function instant (value) {
  const at = new Date(value ?? Date.now())
  const known = Number.isNaN(at.getTime()) ? new Date() : at
  return known.toISOString().replace(/\.\d+Z$/, 'Z')
}

/** The cautious outcome, in the form of a decision. */
export function cautiousOutcome (ruleSet, { language, evaluatedAt, historyFacts } = {}) {
  const spoken = Object.hasOwn(WORDS.headline, language ?? '') ? language : 'en'
  const document = ruleSet?.document ?? ruleSet
  return {
    id: null,
    level: 'urgent',
    possible_level: 'emergency',
    screening_complete: false,
    see_professional: true,
    headline: WORDS.headline[spoken],
    message: WORDS.message[spoken],
    actions: [{
      code: CANNOT_EVALUATE,
      text: WORDS.action[spoken],
      timeframe: 'today',
      care_setting: 'urgent_care'
    }],
    notices: [],
    reasons: [],
    unanswered: [],
    activities: { status: 'stop', text: WORDS.activities[spoken] },
    safety_net: WORDS.safety_net.map(({ title, signs }) => ({
      title: title[spoken],
      signs: signs.map((sign) => sign[spoken])
    })),
    disclaimer: WORDS.disclaimer[spoken],
    ignored: [],
    ignored_total: 0,
    rule_set_version: text(document?.version),
    rule_set_hash: text(document?.hash),
    history_facts: Array.isArray(historyFacts) ? [...historyFacts] : [],
    evaluated_at: instant(evaluatedAt),
    language: spoken
  }
}
