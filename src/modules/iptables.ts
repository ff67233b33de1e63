import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import {
  type FirewallState,
  type FirewallTerms,
  readFirewall,
  rereadFirewall,
  writeFirewall,
} from '../resources/iptables.ts'
import { ruleParams, ruleWords } from './iptables-rule.ts'

const params = {
  table: {
    type: 'string',
    choices: ['filter', 'mangle', 'nat', 'raw', 'security'],
    default: 'filter',
    doc: 'The table.',
  },
  chain: { type: 'string', doc: 'The chain: INPUT, or one of your own.' },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether the rule (or the chain) is to be there.',
  },
  action: {
    type: 'string',
    choices: ['append', 'insert'],
    default: 'append',
    doc: 'Where a new rule goes: last, or first.',
  },
  rule_num: { type: 'int', doc: 'With insert: the number that it gets.' },
  ip_version: { type: 'string', choices: ['ipv4', 'ipv6'], default: 'ipv4', doc: 'iptables or ip6tables.' },
  wait: { type: 'string', default: '', doc: 'Seconds to wait while another program changes rules.' },
  policy: {
    type: 'string',
    choices: ['ACCEPT', 'DROP', 'QUEUE', 'RETURN'],
    doc: 'Sets the policy of the chain; no rule goes with it.',
  },
  flush: { type: 'bool', default: false, doc: 'Removes all rules of the chain, or of the table.' },
  chain_management: {
    type: 'bool',
    default: false,
    doc: 'Make the chain when it is missing; with `absent` and no rule, remove it.',
  },
  ...ruleParams,
} as const
type IptablesArgs = Args<typeof params>
interface Input {
  readonly args: IptablesArgs
  readonly terms: FirewallTerms
}

function refuse(what: string, hint: string): never {
  throw problem('E_PARAMS', `iptables: ${what}`, { hint })
}

function prepare(_t: Target, args: IptablesArgs): Input {
  const rule = ruleWords(args)
  const isRule = args.policy === undefined && !args.flush && (rule.length > 0 || !args.chain_management)
  if (args.chain === undefined && !args.flush)
    refuse('Either chain or flush parameter must be specified', 'add chain: INPUT')
  if (args.policy !== undefined && args.flush)
    refuse('policy and flush do not go together', 'write two tasks')
  if (!/^\d*$/.test(args.wait)) refuse('wait is a number of seconds', 'write wait: 5')
  const position = args.action === 'insert' ? (args.rule_num ?? 1) : 0
  return {
    args,
    terms: {
      program: args.ip_version === 'ipv6' ? 'ip6tables' : 'iptables',
      wait: args.wait,
      table: args.table,
      chain: args.chain ?? null,
      rule: isRule ? rule : null,
      position,
      isWhole: args.flush,
    },
  }
}

function want({ args, terms }: Input, before: FirewallState): FirewallState {
  const name = terms.chain ?? ''
  const missing = (): never => {
    throw problem('E_TASK', `iptables: there is no chain ${name} in the table ${terms.table}`, {
      hint: 'set chain_management: true to make it',
    })
  }
  if (args.flush) return before.hasChain ? { ...before, rules: [] } : missing()
  if (args.policy !== undefined) {
    if (!before.hasChain || before.policy === null)
      throw problem('E_TASK', `iptables: the chain ${name} has no policy`, {
        hint: 'only INPUT, OUTPUT, FORWARD and the like have one',
      })
    return { ...before, policy: args.policy }
  }
  const isPresent = args.state === 'present'
  if (terms.rule === null) return { ...before, hasChain: isPresent }
  if (isPresent && !before.hasChain && !args.chain_management) missing()
  return {
    ...before,
    hasChain: before.hasChain || isPresent,
    hasRule: isPresent,
    ...(isPresent ? {} : { rules: null }),
  }
}

export const iptables = defineState<typeof params, FirewallState, Input>({
  name: 'iptables',
  summary: 'Keep a rule, a chain or a policy of the kernel’s packet filter.',
  notes: [
    'Rules are those of the running kernel: what keeps them over a reboot (netfilter-persistent, your own script) is not run.',
    'A rule that is there stays where it is. An undo puts a removed rule back to its place, and rules that were flushed all at once.',
  ],
  params,
  returns: {
    chain: { doc: 'The chain.' },
    table: { doc: 'The table.' },
    rule: { doc: 'The rule’s words.' },
    ip_version: { doc: 'As asked for.' },
    flush: { doc: 'As asked for.' },
    state: { doc: 'As asked for.' },
    chain_management: { doc: 'As asked for.' },
  },
  examples: `
- iptables: { chain: INPUT, protocol: tcp, destination_port: '5432', source: '!10.0.0.0/8', jump: DROP, comment: database }
`,
  prepare,
  async read(t, { args, terms }) {
    const found = await readFirewall(t, terms)
    // Only what goes away has to be known by its place.
    const isKept = terms.isWhole || (args.state === 'absent' && found.hasRule)
    return isKept ? found : { ...found, rules: null }
  },
  reread: rereadFirewall,
  want,
  write: writeFirewall,
  result: ({ args, terms }) => ({
    chain: args.chain ?? null,
    table: args.table,
    rule: (terms.rule ?? []).join(' '),
    ip_version: args.ip_version,
    flush: args.flush,
    state: args.state,
    chain_management: args.chain_management,
  }),
  show({ terms, hasChain, hasRule, policy, rules }) {
    const lines = [
      ...(hasChain && terms.chain !== null
        ? [policy === null ? `-N ${terms.chain}` : `-P ${terms.chain} ${policy}`]
        : []),
      ...(terms.isWhole
        ? (rules ?? [])
        : hasRule
          ? [`-A ${terms.chain} ${(terms.rule ?? []).join(' ')}`]
          : []),
    ]
    return { header: `table ${terms.table}`, text: lines.map(line => `${line}\n`).join('') }
  },
})
