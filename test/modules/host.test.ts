// hostname, sysctl, reboot, wait_for_connection, containers, set_stats and validate_argument_spec.
import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session } from '../../src/core/remote.ts'
import { Secret } from '../../src/core/secret.ts'
import { type Dict, toValue } from '../../src/core/value.ts'
import { findArgumentErrors } from '../../src/modules/argument-spec.ts'
import { dockerContainer } from '../../src/modules/docker-container.ts'
import { dockerContainerExec } from '../../src/modules/docker-container-exec.ts'
import { hostname } from '../../src/modules/hostname.ts'
import { mount } from '../../src/modules/mount.ts'
import { reboot } from '../../src/modules/reboot.ts'
import { setStats } from '../../src/modules/set-stats.ts'
import { sysctl } from '../../src/modules/sysctl.ts'
import { validateArgumentSpec } from '../../src/modules/validate-argument-spec.ts'
import { waitForConnection } from '../../src/modules/wait-for-connection.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { act, apply, shells } from './harness.ts'
import { live, look } from './lifecycle.ts'
import { hasAnsible } from './oracle.ts'
import { hasSandbox, useSandbox } from './sandbox.ts'

const setUp = `echo before >/etc/hostname; hostname before; printf '# mine\\nnet.ipv4.ip_forward = 0\\nkernel.x=1\\n' >/etc/sysctl.conf
printf 0 >/proc/sys/net/ipv4/ip_forward; rm -rf /run/systemd/system; echo first >/run/boot; mount --bind /run/boot /proc/sys/kernel/random/boot_id`

describe.skipIf(!hasSandbox).each(Object.keys(shells))('the host under %s', shell => {
  const { session } = useSandbox(shell, { setUp })

  it('hostname', async () => {
    const one = { session: session(), module: hostname, world: 'uname -n; cat /etc/hostname' }
    const done = await live({ ...one, args: { name: 'panel-1' } })
    expect(done.world).toBe('panel-1\npanel-1\n')
    await live({ ...one, args: { name: 'before' }, changed: false })
    await expect(apply(makeTarget({ session: session() }), hostname, { name: 'a b' })).rejects.toThrow(
      /no name that a host can have/,
    )
  })

  it('sysctl', async () => {
    const world = 'cat /etc/sysctl.conf /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_local_port_range'
    const one = { session: session(), module: sysctl, world }
    const done = await live({ ...one, args: { name: 'net.ipv4.ip_forward', value: '1' } })
    expect(done.world).toMatch(/^# mine\nnet\.ipv4\.ip_forward=1\nkernel\.x=1\n1\n/)
    await live({ ...one, args: { name: 'net.ipv4.ip_forward', value: '0' }, changed: false })
    const range = await live({ ...one, args: { name: 'net.ipv4.ip_local_port_range', value: '20000 30000' } })
    expect(range.world).toMatch(/range=20000 30000\n0\n20000\t30000\n$/)
    expect((await live({ ...one, args: { name: 'kernel.x', state: 'absent' } })).world).not.toContain(
      'kernel.x',
    )
    const file = await live({ ...one, args: { name: 'net/ipv4/ip_forward', value: '1', reload: false } })
    expect(file.world).toContain('ipv4/ip_forward=1\nkernel.x=1\n0\n')
    const t = makeTarget({ session: session() })
    await expect(apply(t, sysctl, { name: 'net.none', value: '1' })).rejects.toThrow(/no such key/)
    await expect(apply(t, sysctl, { name: '../x', value: '1' })).rejects.toThrow(/no key of the kernel/)
    expect((await apply(t, sysctl, { name: 'net.none', value: '1', ignoreerrors: true })).changed).toBe(true)
  })

  it('mount', async () => {
    await look(session(), "printf '# mine\\n/dev/x / ext4 defaults 0 1\\n' >/etc/fstab")
    const world = 'cat /etc/fstab; ls -d "/home/m m" 2>/dev/null; grep " /home/m" /proc/self/mounts; exit 0'
    const one = { session: session(), module: mount, world }
    const args = { path: '/home/m m', src: 'rota test', fstype: 'tmpfs', opts: 'size=1m' }
    const t = makeTarget({ session: session() })
    expect((await live({ ...one, args: { ...args, state: 'present' } })).world).toMatch(
      /^rota\\040test \/home\/m\\040m tmpfs size=1m 0 0$/m,
    )
    const done = await apply(t, mount, { ...args, state: 'mounted', boot: false })
    expect(await look(session(), world)).toMatch(
      /size=1m,noauto 0 0\n\/home\/m m\nrota\\040test \/home\/m\\040m tmpfs /,
    )
    expect((await apply(t, mount, { ...args, state: 'mounted', boot: false })).changed).toBe(false)
    const { write, reread } = mount as Extract<typeof mount, { kind: 'state' }>
    await write(t, done.after, done.before)
    expect(await reread(t, done.before)).toEqual(done.before)
    await apply(t, mount, { ...args, state: 'ephemeral' })
    const larger = await live({ ...one, args: { ...args, opts: 'size=2m', state: 'mounted' }, keep: true })
    expect(larger.world).toMatch(/tmpfs size=2m 0 0\n.*\n.*size=2048k/)
    await live({ ...one, args: { ...args, opts: 'size=3m', state: 'mounted' } })
    const again = { path: '/home/m m', state: 'remounted', opts: 'size=4m' }
    expect((await apply(makeTarget({ session: session(), check: true }), mount, again)).changed).toBe(true)
    expect(await look(session(), world)).toContain('size=2048k')
    expect((await apply(t, mount, again)).changed).toBe(true)
    expect(await look(session(), world)).toMatch(/tmpfs size=2m 0 0\n.*\n.*size=4096k/)
    await expect(apply(t, mount, { ...again, path: '/home/no' })).rejects.toThrow(/nothing is mounted there/)
    await apply(t, mount, { path: '/home/m m', state: 'absent_from_fstab' })
    expect(await look(session(), world)).toMatch(/0 1\n\/home\/m m\nrota/)
    await expect(
      apply(makeTarget({ session: session(), undoable: true }), mount, {
        path: '/home/m m',
        state: 'absent',
      }),
    ).rejects.toThrow(/cannot be undone/)
    await apply(t, mount, { path: '/home/m m', state: 'absent' })
    expect(await look(session(), world)).toBe('# mine\n/dev/x / ext4 defaults 0 1\n')
  })

  it('reboot waits for another boot id', { timeout: 30_000 }, async () => {
    const t = makeTarget({ session: session() })
    const args = {
      reboot_command: 'echo second >/run/boot; echo "$(id -u)" >/run/rebooted',
      reboot_timeout: 20,
      pre_reboot_delay: -61,
      post_reboot_delay: -0.5,
      search_paths: ['/sbin', '/usr/sbin'],
    }
    expect(await act(t, reboot, args)).toMatchObject({ changed: true, values: { rebooted: true } })
    expect(await look(session(), 'cat /run/boot /run/rebooted')).toBe('second\n0\n')
    const never = { reboot_command: ':', reboot_timeout: 0 }
    await expect(act(t, reboot, never)).rejects.toThrow(/timed out waiting/)
  })
})

describe('reaching the host', () => {
  let session: Session
  beforeAll(async () => {
    session = await openLocalSession({ shell: shells['dash']! })
  })
  afterAll(() => session.close())

  it('does not reboot the machine that it runs on', async () => {
    await expect(act(makeTarget({ session }), reboot, { reboot_command: 'false' })).rejects.toThrow(
      /would reboot the control node/,
    )
  })

  it('waits until it can be reached, and not for a login that is refused', async () => {
    expect((await act(makeTarget({ session }), waitForConnection, {})).changed).toBe(false)
    const { problem } = await import('../../src/core/error.ts')
    const failing = (code: 'E_UNREACHABLE' | 'E_AUTH', times: number) => {
      let left = times
      const t = makeTarget({ session })
      return {
        ...t,
        run: async (...given: Parameters<typeof t.run>) => {
          if (left-- > 0) throw problem(code, 'no')
          return t.run(...given)
        },
      }
    }
    expect((await act(failing('E_UNREACHABLE', 2), waitForConnection, { sleep: 0 })).changed).toBe(false)
    await expect(act(failing('E_AUTH', 1), waitForConnection, { sleep: 0 })).rejects.toThrow('no')
    await expect(act(failing('E_UNREACHABLE', 99), waitForConnection, { timeout: 0 })).rejects.toThrow(
      /timed out/,
    )
  })

  it('set_stats', async () => {
    const data = new Map([['rotated', 4]])
    const done = await act(makeTarget({ session }), setStats, { data })
    expect(done).toEqual({
      changed: false,
      values: { ansible_stats: { data, per_host: false, aggregate: true } },
    })
    await expect(act(makeTarget({ session }), setStats, { data: new Map([['a b', 1]]) })).rejects.toThrow(
      /not valid/,
    )
  })

  it('validate_argument_spec', async () => {
    const argument_spec = toValue({ port: { type: 'int', required: true }, mode: { choices: ['a', 'b'] } })
    const t = (vars: object) => makeTarget({ session, vars: Object.fromEntries(Object.entries(vars)) })
    expect(await act(t({ port: '1' }), validateArgumentSpec, { argument_spec })).toMatchObject({
      msg: 'The arg spec validation passed',
    })
    const bad = await act(t({ mode: 'c' }), validateArgumentSpec, { argument_spec })
    expect(bad).toMatchObject({
      failed: true,
      values: {
        argument_errors: ['missing required arguments: port', 'value of mode must be one of: a, b, got: c'],
      },
    })
  })
})

const types = ['str', 'int', 'float', 'bool', 'list', 'dict', 'path', 'raw']
const rule = fc.record(
  {
    type: fc.constantFrom(...types),
    required: fc.boolean(),
    choices: fc.constantFrom(['1', 'x'], ['x', 'y']),
  },
  { requiredKeys: [] },
)
const value = fc.constantFrom<unknown>('x', '1', 'yes', 1, 2.5, true, ['x'], { a: 1 }, '', 'k=v')
const script = `
import json, sys
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
for line in sys.stdin:
    spec, given = json.loads(line)
    print(json.dumps(ArgumentSpecValidator(spec).validate(given).error_messages))
`

describe.skipIf(!hasAnsible)('argument specs as ansible-core', () => {
  it('finds the same errors', () => {
    // How Python writes a list, and which texts it takes for a boolean, is not what choices are about.
    const isPlain = ([spec, given]: [Record<string, { choices?: unknown }>, Record<string, unknown>]) =>
      Object.entries(given).every(
        ([name, one]) =>
          spec[name]?.choices === undefined || typeof one === 'string' || typeof one === 'number',
      )
    const isClear = ({ type = 'str', choices }: { type?: string; choices?: unknown }) =>
      choices === undefined || type === 'str'
    const trials = fc.sample(
      fc
        .tuple(
          fc.dictionary(fc.constantFrom('a', 'b', 'c'), rule.filter(isClear)),
          fc.dictionary(fc.constantFrom('a', 'b', 'd'), value),
        )
        .filter(isPlain),
      { numRuns: 300, seed: 20261123 },
    )
    const ran = spawnSync('/usr/bin/python3', ['-c', script], {
      input: trials.map(trial => `${JSON.stringify(trial)}\n`).join(''),
    })
    const theirs: string[][] = ran.stdout
      .toString()
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    const differing = trials.flatMap(([spec, given], i) => {
      const mine = findArgumentErrors(toValue(spec) as Dict, toValue(given) as Dict)
      const is = [mine.length > 0, mine.filter(one => one.startsWith('missing') || one.startsWith('value'))]
      const should = [
        theirs[i]!.length > 0,
        theirs[i]!.filter(one => one.startsWith('missing') || one.startsWith('value')),
      ]
      return JSON.stringify(is) === JSON.stringify(should) ? [] : [{ spec, given, mine, theirs: theirs[i] }]
    })
    expect(differing).toEqual([])
  })
})

const docker = `#!/bin/sh
# container inspect|start|stop|restart|pause|unpause|exec, state in /run/docker-NAME as "running paused"
[ "$1" = version ] && exit 0
shift; verb=$1; shift
for name; do :; done
file=/run/docker-panel
put() { echo "$*" >$file; }
case $verb in
  inspect) [ "$name" = panel ] || exit 1; read -r running paused <$file
    echo "[{\\"State\\":{\\"Running\\":$running,\\"Paused\\":$paused}}]" ;;
  start) put true false ;;
  stop) put false false ;;
  restart) put true false; echo "$@" >>/run/docker-log ;;
  pause) put true true ;;
  unpause) put true false ;;
  exec) printf '[%s]' "$@"; cat ;;
esac
`
describe.skipIf(!hasSandbox).each(Object.keys(shells))('containers under %s', shell => {
  const { session } = useSandbox(shell, {
    programs: { docker },
    setUp: 'echo false false >/run/docker-panel',
  })
  it('start, stop, pause, restart', async () => {
    const one = { session: session(), module: dockerContainer, world: 'cat /run/docker-panel' }
    expect((await live({ ...one, args: { name: 'panel', paused: true } })).world).toBe('true true\n')
    const done = await live({ ...one, args: { name: 'panel' }, keep: true })
    expect(done.result).toEqual({ container: { Name: '/panel', State: { Running: true, Paused: false } } })
    const t = makeTarget({ session: session() })
    expect((await apply(t, dockerContainer, { name: 'panel', restart: true, stop_timeout: 3 })).changed).toBe(
      true,
    )
    expect(await look(session(), 'cat /run/docker-log')).toBe('--time 3 panel\n')
    await expect(apply(t, dockerContainer, { name: 'other' })).rejects.toThrow(/there is no container other/)
  })

  it('exec', async () => {
    const t = makeTarget({ session: session() })
    const env = new Map([['A', 'b c']])
    const args = {
      container: 'panel',
      command: "node 'a b'",
      user: 'app',
      env,
      stdin: new Secret('in', 'stdin'),
    }
    const { values } = await act(t, dockerContainerExec, args)
    expect(values!['stdout']).toBe('[--interactive][--user][app][--env][A=b c][panel][node][a b]in')
    const secret = new Map([['A', new Secret('x', 'a')]])
    await expect(act(t, dockerContainerExec, { ...args, env: secret })).rejects.toThrow(
      /can be seen by every user/,
    )
  })
})
