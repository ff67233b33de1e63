// iptables against the kernel, in a network namespace of its own.
import { describe, expect, it } from 'vitest'
import { toValue } from '../../src/core/value.ts'
import { iptables } from '../../src/modules/iptables.ts'
import { makeTarget } from '../support/target.ts'
import { apply, asState, shells } from './harness.ts'
import { live, look } from './lifecycle.ts'
import { hasProgram, hasSandbox, useSandbox } from './sandbox.ts'

const missing = hasProgram('iptables') ? undefined : 'iptables is not installed'
if (missing !== undefined) {
  if (process.env['CI']) throw new Error(missing)
  console.log(`skipped: ${missing}`)
}
const program = '#!/bin/sh\nexec /usr/sbin/NAME "$@"\n'
const names = ['iptables', 'iptables-restore', 'ip6tables', 'ip6tables-restore']
const programs = Object.fromEntries(names.map(name => [name, program.replace('NAME', name)]))
const world = 'for t in filter nat; do iptables -t $t -S; done; ip6tables -S'

describe.skipIf(!hasSandbox || missing !== undefined).each(Object.keys(shells))(
  'iptables under %s',
  shell => {
    const { session } = useSandbox(shell, { programs })
    const lives = (args: object, more: object = {}) =>
      live({ session: session(), module: iptables, world, args: args as never, ...more })
    const t = () => makeTarget({ session: session() })

    it('adds, inserts and removes a rule, and puts it back to its place', async () => {
      const rule = {
        chain: 'INPUT',
        protocol: 'tcp',
        destination_port: '8080',
        jump: 'ACCEPT',
        comment: "it's mine",
      }
      const done = await lives(rule, { keep: true })
      expect(done.world).toMatch(
        /^-A INPUT -p tcp -m tcp --dport 8080 -m comment --comment "it.*s mine" -j ACCEPT$/m,
      )
      await lives(
        { chain: 'INPUT', source: '!10.0.0.0/8', ctstate: ['NEW', 'RELATED'], jump: 'DROP' },
        { keep: true },
      )
      const first = await lives(
        { chain: 'INPUT', in_interface: 'lo', action: 'insert', jump: 'ACCEPT' },
        { keep: true },
      )
      expect(first.world.split('\n').filter(line => line.startsWith('-A INPUT'))[0]).toBe(
        '-A INPUT -i lo -j ACCEPT',
      )
      await lives({ chain: 'INPUT', protocol: 'udp', action: 'insert', rule_num: 2, jump: 'DROP' })
      // In the middle: live() compares the whole world after the undo.
      expect((await lives({ ...rule, state: 'absent' })).world).not.toContain('8080')
      await lives({ ...rule, state: 'absent', comment: 'other' }, { changed: false })
      if (shell !== 'dash') return
      await lives({
        chain: 'INPUT',
        ip_version: 'ipv6',
        protocol: 'tcp',
        destination_ports: ['80', '443', '8081:8083'],
        jump: 'REJECT',
        reject_with: 'tcp-reset',
      })
      await lives({
        chain: 'OUTPUT',
        uid_owner: '33',
        limit: '2/second',
        limit_burst: '20',
        log_prefix: 'a b: ',
        log_level: 'info',
      })
      const flags = toValue({ flags: ['SYN', 'ACK'], flags_set: ['SYN'] })
      await lives({
        chain: 'FORWARD',
        protocol: 'tcp',
        tcp_flags: flags,
        src_range: '10.0.0.1-10.0.0.9',
        jump: 'DROP',
      })
      await lives({
        table: 'nat',
        chain: 'PREROUTING',
        protocol: 'tcp',
        destination_port: '80',
        jump: 'REDIRECT',
        to_ports: '8600',
      })
      await lives({
        table: 'nat',
        chain: 'PREROUTING',
        protocol: 'tcp',
        match: ['tcp'],
        to_destination: '10.0.0.1:80',
        wait: '5',
      })
    })

    it('makes and removes chains, sets policies, flushes', async () => {
      const made = await lives({ chain: 'panel', chain_management: true }, { keep: true })
      expect(made.world).toContain('-N panel\n')
      expect((await lives({ chain: 'panel2', chain_management: true, jump: 'ACCEPT' })).world).toContain(
        '-N panel2',
      )
      expect((await lives({ chain: 'INPUT', policy: 'DROP' })).world).toContain('-P INPUT DROP')
      await apply(t(), iptables, { chain: 'panel', source: '10.0.0.1', jump: 'DROP' })
      await apply(t(), iptables, { chain: 'panel', source: '10.0.0.2', jump: 'DROP' })
      expect((await lives({ chain: 'panel', flush: true })).world).not.toContain('10.0.0.1')
      expect((await lives({ flush: true })).world).not.toMatch(/^-A/m)
      await expect(
        apply(t(), iptables, { chain: 'panel', state: 'absent', chain_management: true }),
      ).rejects.toThrow(/-X failed/)
      await apply(t(), iptables, { chain: 'panel', flush: true })
      await lives({ chain: 'panel', state: 'absent', chain_management: true }, { keep: true })
      await lives({ chain: 'panel', state: 'absent', jump: 'DROP' }, { changed: false })
    })

    it('leaves rules of others alone when it undoes', async () => {
      const rule = { chain: 'INPUT', source: '192.0.2.1', jump: 'DROP' }
      const { write } = asState(iptables)
      await apply(t(), iptables, rule)
      const gone = await apply(t(), iptables, { ...rule, state: 'absent' })
      await look(session(), 'iptables -I INPUT -s 192.0.2.9 -j DROP')
      await write(t(), gone.after, gone.before)
      expect(await look(session(), 'iptables -S INPUT')).toMatch(/192\.0\.2\.9[\s\S]*192\.0\.2\.1/)
    })

    it('says what is wrong', async () => {
      const refused = (args: object) => expect(apply(t(), iptables, args as never)).rejects
      await refused({ jump: 'DROP' }).toMatchObject({ code: 'E_PARAMS' })
      await refused({ chain: 'INPUT', protocol: 'nonsense', jump: 'DROP' }).toThrow(/does not take the rule/)
      await refused({ chain: 'nowhere', jump: 'DROP' }).toThrow(/no chain nowhere/)
      await refused({ chain: 'nowhere', policy: 'DROP' }).toThrow(/has no policy/)
      await refused({ chain: 'INPUT', tcp_flags: toValue({ flags: 'SYN' }) }).toMatchObject({
        code: 'E_PARAMS',
      })
    })
  },
)
