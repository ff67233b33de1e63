import { problem } from '../core/error.ts'
import type { Args } from '../core/params.ts'
import { fromValue } from '../core/value.ts'

const text = (doc: string, aliases: readonly string[] = []) =>
  ({ type: 'string', doc, ...(aliases.length > 0 ? { aliases } : {}) }) as const

/** Options that make up a rule. */
export const ruleParams = {
  protocol: text(
    'Protocol: tcp, udp, icmp, all, a number. `!` before a value turns it round, here and below.',
  ),
  source: text('Address or network that it comes from.'),
  destination: text('Address or network that it goes to.'),
  in_interface: text('Interface that it came by.'),
  out_interface: text('Interface that it leaves by.'),
  fragment: text('Further fragments: any text, `!` for the others.'),
  source_port: text('Port that it comes from, or a range `1024:2048`.'),
  destination_port: text('Port that it goes to, or a range.'),
  destination_ports: { type: 'list', default: [], doc: 'Several ports.' },
  match: { type: 'list', default: [], doc: 'Modules to load.' },
  tcp_flags: {
    type: 'dict',
    doc: 'flags: which to look at; flags_set: which of them have to be set. Lists.',
  },
  syn: {
    type: 'string',
    choices: ['ignore', 'match', 'negate'],
    default: 'ignore',
    doc: 'Only, or not, what opens a TCP connection.',
  },
  ctstate: { type: 'list', default: [], doc: 'States of connection tracking: NEW, ESTABLISHED …' },
  src_range: text('Range of addresses that it comes from.'),
  dst_range: text('Range of addresses that it goes to.'),
  match_set: text('Name of an ipset.'),
  match_set_flags: {
    type: 'string',
    choices: ['src', 'dst', 'src,dst', 'dst,src'],
    doc: 'Which addresses are looked for in it.',
  },
  limit: text('So many on average: `2/second`.'),
  limit_burst: text('So many at once before the limit counts.'),
  uid_owner: text('User whose process sends it; a range with -.'),
  gid_owner: text('Group whose process sends it.'),
  icmp_type: text('Type of ICMP.'),
  comment: text('A note that is kept with the rule.'),
  jump: text('What becomes of it: ACCEPT, DROP, a chain.'),
  goto: text('Chain to go on in, without coming back.'),
  gateway: text('With jump TEE: where the copy goes.'),
  log_prefix: text('With jump LOG: what stands before each line.'),
  log_level: text('With jump LOG: 0 to 7, or a name.'),
  to_destination: text('With jump DNAT.'),
  to_source: text('With jump SNAT.'),
  to_ports: text('With jump REDIRECT.'),
  set_dscp_mark: text('With jump DSCP: the mark.'),
  set_dscp_mark_class: text('With jump DSCP: its class.'),
  reject_with: text('With jump REJECT: how.'),
  set_counters: text('Counters to begin with: `PACKETS BYTES`.'),
} as const
type RuleArgs = Args<typeof ruleParams>

/** `! --source 10.0.0.0/8` for `!10.0.0.0/8`. */
function option(word: string, value: string | undefined): readonly string[] {
  if (value === undefined || value === '') return []
  const bare = value.replace(/^!\s*/, '')
  return bare === value ? [word, value] : ['!', word, bare]
}

function flagsOf(args: RuleArgs): readonly string[] {
  if (args.tcp_flags === undefined || args.tcp_flags.size === 0) return []
  const { flags, flags_set: set } = fromValue(args.tcp_flags) as Readonly<Record<string, unknown>>
  if (!Array.isArray(flags) || !Array.isArray(set))
    throw problem('E_PARAMS', 'iptables: tcp_flags is a dict of two lists', {
      hint: 'tcp_flags: { flags: [SYN, ACK], flags_set: [SYN] }',
    })
  return ['--tcp-flags', flags.join(','), set.join(',')]
}

/** The matches, each with the module that has it, which is loaded once. */
function matches(args: RuleArgs): readonly (readonly [string, readonly string[]])[] {
  const isNegated = args.syn === 'negate'
  return [
    [
      '',
      option(
        '--fragment',
        args.fragment === undefined || args.fragment.startsWith('!') ? undefined : args.fragment,
      ).slice(0, 1),
    ],
    ['', args.fragment?.startsWith('!') ? ['!', '--fragment'] : []],
    ['', flagsOf(args)],
    ['', args.syn === 'ignore' ? [] : [...(isNegated ? ['!'] : []), '--syn']],
    ['', option('--source-port', args.source_port)],
    ['', option('--destination-port', args.destination_port)],
    ['', option(args.protocol?.includes('6') ? '--icmpv6-type' : '--icmp-type', args.icmp_type)],
    ['multiport', args.destination_ports.length > 0 ? ['--dports', args.destination_ports.join(',')] : []],
    ['conntrack', args.ctstate.length > 0 ? option('--ctstate', args.ctstate.join(',')) : []],
    ['iprange', [...option('--src-range', args.src_range), ...option('--dst-range', args.dst_range)]],
    [
      'set',
      args.match_set === undefined
        ? []
        : [...option('--match-set', args.match_set), args.match_set_flags ?? 'src'],
    ],
    ['limit', [...option('--limit', args.limit), ...option('--limit-burst', args.limit_burst)]],
    ['owner', [...option('--uid-owner', args.uid_owner), ...option('--gid-owner', args.gid_owner)]],
    ['comment', args.comment === undefined ? [] : ['--comment', args.comment]],
  ]
}

/** Targets that an option only goes with. */
const impliedJump: readonly (readonly [keyof RuleArgs, string])[] = [
  ['gateway', 'TEE'],
  ['log_prefix', 'LOG'],
  ['log_level', 'LOG'],
  ['to_destination', 'DNAT'],
  ['to_source', 'SNAT'],
  ['set_dscp_mark', 'DSCP'],
  ['set_dscp_mark_class', 'DSCP'],
  ['reject_with', 'REJECT'],
]

function target(args: RuleArgs): readonly string[] {
  const implied = impliedJump.find(([name]) => args[name] !== undefined)?.[1]
  const jump = args.jump ?? implied
  return [
    ...(jump === undefined ? [] : ['--jump', jump]),
    ...(args.goto === undefined ? [] : ['--goto', args.goto]),
    ...option('--gateway', args.gateway),
    ...(args.log_prefix === undefined ? [] : ['--log-prefix', args.log_prefix]),
    ...option('--log-level', args.log_level),
    ...option('--to-destination', args.to_destination),
    ...option('--to-source', args.to_source),
    ...option('--to-ports', args.to_ports),
    ...option('--set-dscp', args.set_dscp_mark),
    ...option('--set-dscp-class', args.set_dscp_mark_class),
    ...option('--reject-with', args.reject_with),
  ]
}

/** The words of the rule behind the chain; none when nothing of a rule was given. Throws E_PARAMS. */
export function ruleWords(args: RuleArgs): readonly string[] {
  const found = matches(args).filter(([, words]) => words.length > 0)
  const loaded = [
    ...new Set([...args.match, ...found.map(([module]) => module).filter(module => module !== '')]),
  ]
  const own = (module: string): readonly string[] =>
    found.filter(([name]) => name === module).flatMap(([, words]) => words)
  return [
    ...option('--protocol', args.protocol),
    ...option('--source', args.source),
    ...option('--destination', args.destination),
    ...option('--in-interface', args.in_interface),
    ...option('--out-interface', args.out_interface),
    ...own(''),
    ...loaded.flatMap(module => ['--match', module, ...own(module)]),
    ...(args.set_counters === undefined ? [] : ['--set-counters', ...args.set_counters.split(/\s+/)]),
    ...target(args),
  ]
}
