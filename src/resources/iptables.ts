import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { argvParams, type Ran } from '../core/remote.ts'
import { sh } from '../core/script.ts'
import { isSameState } from '../core/value.ts'
import { accept } from './file.ts'

/** What a task is about, the same in all its states. Plain data. */
export type FirewallTerms = {
  readonly program: 'iptables' | 'ip6tables'
  /** Seconds to wait for the lock; '' for none. */
  readonly wait: string
  readonly table: string
  /** null: the whole table, for a flush. */
  readonly chain: string | null
  /** The rule's words behind the chain; null when it is about something else. */
  readonly rule: readonly string[] | null
  /** Where a new rule goes: its number, or 0 for the end. */
  readonly position: number
  readonly isWhole: boolean
}

/** A chain of the kernel's packet filter, as far as a task is about it. */
export type FirewallState = {
  readonly terms: FirewallTerms
  readonly hasChain: boolean
  readonly hasRule: boolean
  readonly policy: string | null
  /** All rules as `-S` shows them: where they count (a flush), or to find the place of a rule that goes away; else null. */
  readonly rules: readonly string[] | null
}

const lookScript = sh`
rt_need "$p_program"
run() { if [ -n "$p_wait" ]; then "$p_program" -w "$p_wait" -t "$p_table" "$@"; else "$p_program" -t "$p_table" "$@"; fi; }
set --
if [ -n "$p_chain" ]; then set -- "$p_chain"; fi
if rules=$(run -S "$@" 2>&1 </dev/null); then rt_set chain 1; rt_set rules "$rules"
else
  # A chain that is not there, or no right to look at all?
  run -S >/dev/null </dev/null || exit 1
  exit 0
fi
if [ "$p_argc" -gt 0 ]; then
  set -- "$p_chain"
  i=0
  while [ "$i" -lt "$p_argc" ]; do eval "set -- \"\$@\" \"\$p_arg$i\""; i=$((i + 1)); done
  said=$(run -C "$@" 2>&1 </dev/null)
  code=$?
  case $code in
    0) rt_set rule 1 ;;
    1) ;;
    *) rt_fail "$p_program does not take the rule: $said" ;;
  esac
fi
exit 0
`
const changeScript = sh`
run() { if [ -n "$p_wait" ]; then "$p_program" -w "$p_wait" -t "$p_table" "$@" </dev/null; else "$p_program" -t "$p_table" "$@" </dev/null; fi; }
set -- "$p_verb"
if [ -n "$p_chain" ]; then set -- "$@" "$p_chain"; fi
if [ -n "$p_number" ]; then set -- "$@" "$p_number"; fi
i=0
while [ "$i" -lt "$p_argc" ]; do eval "set -- \"\$@\" \"\$p_arg$i\""; i=$((i + 1)); done
run "$@" || rt_fail "$p_program $p_verb failed"
`
// All at once or not at all: the kernel takes a table in one piece.
const restoreScript = sh`
if [ -n "$p_wait" ]; then "$p_program-restore" -w "$p_wait" --noflush; else "$p_program-restore" --noflush; fi || rt_fail "$p_program-restore failed"
`

const placeParams = ({ program, wait, table, chain }: FirewallTerms) => ({
  program,
  wait,
  table,
  chain: chain ?? '',
})

/** Throws E_TASK: no program, no right, a rule that is none. */
export async function readFirewall(t: Target, terms: FirewallTerms): Promise<FirewallState> {
  const ran = accept(t, await t.run(lookScript, { ...placeParams(terms), ...argvParams(terms.rule ?? []) }))
  const { chain, rule, rules = '' } = ran.values
  const lines = rules.split('\n').filter(line => line !== '')
  const policy = terms.chain === null ? undefined : lines.find(line => line.startsWith('-P '))
  return {
    terms,
    hasChain: chain === '1',
    hasRule: rule === '1',
    policy: policy?.split(' ')[2] ?? null,
    rules: lines.filter(line => line.startsWith('-A ')),
  }
}

/** What the state tells of, as it is now. */
export async function rereadFirewall(t: Target, state: FirewallState): Promise<FirewallState> {
  const found = await readFirewall(t, state.terms)
  return state.terms.isWhole ? found : { ...found, rules: state.rules }
}

async function change(
  t: Target,
  terms: FirewallTerms,
  verb: string,
  words: readonly string[] = [],
  number = '',
): Promise<Ran> {
  return accept(t, await t.run(changeScript, { ...placeParams(terms), verb, number, ...argvParams(words) }))
}

/** The number at which the rule stood that is missing now; undefined when more than that has changed since. */
function placeOf(before: readonly string[], now: readonly string[]): number | undefined {
  if (before.length !== now.length + 1) return undefined
  const at = before.findIndex((line, i) => line !== now[i])
  const isRest = before.slice(at + 1).every((line, i) => line === now[at + i])
  return isRest ? at + 1 : undefined
}

async function addRule(t: Target, now: FirewallState, after: FirewallState): Promise<void> {
  const { terms } = after
  const back = after.rules === null ? undefined : placeOf(after.rules, now.rules ?? [])
  const number = back ?? terms.position
  if (number === 0) await change(t, terms, '-A', terms.rule!)
  else await change(t, terms, '-I', terms.rule!, String(number))
}

async function restore(t: Target, { terms, rules }: FirewallState): Promise<void> {
  const { program, wait, table } = terms
  const stdin = `*${table}\n${(rules ?? []).map(rule => `${rule}\n`).join('')}COMMIT\n`
  accept(t, await t.run(restoreScript, { program, wait }, { stdin }))
}

/**
 * Changes what is still \`before\`. A rule that comes back goes to its old place, unless the chain was changed since. Throws E_CONFLICT,
 * E_TASK.
 */
export async function writeFirewall(t: Target, before: FirewallState, after: FirewallState): Promise<void> {
  const now = await readFirewall(t, before.terms)
  const told = before.terms.isWhole ? now : { ...now, rules: before.rules }
  if (!isSameState(told, before))
    throw problem(
      'E_CONFLICT',
      `the chain ${before.terms.chain ?? before.terms.table} is no longer as it was read`,
      {
        hint: 'somebody else changed it in the meantime; look at it and run again',
      },
    )
  const { terms } = after
  if (!before.hasChain && after.hasChain) await change(t, terms, '-N')
  if (terms.isWhole) await (after.rules?.length ? restore(t, after) : change(t, terms, '-F'))
  else if (!before.hasRule && after.hasRule) await addRule(t, now, after)
  else if (before.hasRule && !after.hasRule) await change(t, terms, '-D', terms.rule!)
  if (after.hasChain && after.policy !== null && before.policy !== after.policy)
    await change(t, terms, '-P', [after.policy])
  if (before.hasChain && !after.hasChain) await change(t, terms, '-X')
}
