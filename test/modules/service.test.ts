// service, systemd and service_facts: with a real init script and a real daemon, with the real OpenRC, and with a stand-in that keeps to
// the command line of systemctl(1).
import { describe, expect, it } from 'vitest'
import { service } from '../../src/modules/service.ts'
import { serviceFacts } from '../../src/modules/service-facts.ts'
import { systemd } from '../../src/modules/systemd.ts'
import { makeTarget } from '../support/target.ts'
import { act, apply, shells } from './harness.ts'
import { live, look } from './lifecycle.ts'
import { hasProgram, hasSandbox, unpackedPackages, useSandbox } from './sandbox.ts'

const script = `#!/bin/sh
### BEGIN INIT INFO
# Provides: rotad
# Required-Start: $remote_fs
# Required-Stop: $remote_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
pid=/run/rotad.pid
is() { [ -f "$pid" ] && kill -0 "$(cat "$pid")" 2>/dev/null; }
case $1 in
  start) is || { setsid sleep 1000 >/dev/null 2>&1 & echo $! >"$pid"; } ;;
  stop) is && { kill "$(cat "$pid")"; rm -f "$pid"; } || true ;;
  restart) "$0" stop; "$0" start; echo again >>/run/rotad.log ;;
  reload) echo reloaded >>/run/rotad.log ;;
  status) is || exit 3 ;;
esac
`
const install = `rm -rf /run/systemd/system; mkdir -p /etc/init.d; cat >/etc/init.d/rotad <<'END'\n${script}END\nchmod 755 /etc/init.d/rotad`
const initWorld = `/etc/init.d/rotad status && echo up; ls /etc/rc2.d | sed -n '/rotad/s/^[SK]../X/p' | wc -l | tr -d ' '; ls /etc/rc2.d | grep '^S..rotad'; exit 0`

const canEnable = hasProgram('/usr/sbin/update-rc.d')
if (!canEnable) console.log('skipped: enabling init scripts: update-rc.d is not installed')

describe.skipIf(!hasSandbox).each(Object.keys(shells))('init scripts under %s', shell => {
  const { session } = useSandbox(shell, { setUp: install })

  it('starts, stops, restarts, reloads', async () => {
    const one = { session: session(), module: service, world: '/etc/init.d/rotad status && echo up; exit 0' }
    const started = await live({ ...one, args: { name: 'rotad', state: 'started' }, keep: true })
    expect(started.world).toBe('up\n')
    expect(started.result).toEqual({ name: 'rotad', state: 'started' })
    const t = makeTarget({ session: session() })
    for (const state of ['restarted', 'reloaded', 'restarted'])
      expect((await apply(t, service, { name: 'rotad', state })).changed).toBe(true)
    expect(await look(session(), 'cat /run/rotad.log')).toBe('again\nreloaded\nagain\n')
    expect((await live({ ...one, args: { name: 'rotad', state: 'stopped' } })).world).toBe('')
    await apply(t, service, { name: 'rotad', state: 'stopped' })
    await apply(t, service, { name: 'rotad', state: 'reloaded' })
    expect(await look(session(), one.world)).toBe('up\n')
    await apply(t, service, { name: 'rotad', state: 'stopped' })
  })

  it.skipIf(!canEnable)('enables and disables', async () => {
    await look(session(), '/usr/sbin/update-rc.d rotad defaults; /usr/sbin/update-rc.d rotad disable')
    const one = { session: session(), module: service, world: initWorld }
    const enabled = await live({ ...one, args: { name: 'rotad', enabled: true }, keep: true })
    expect(enabled.world).toMatch(/^1\nS..rotad\n$/)
    expect((await live({ ...one, args: { name: 'rotad', enabled: false } })).world).toBe('1\n')
  })

  it('refuses', async () => {
    const t = makeTarget({ session: session() })
    await expect(apply(t, service, { name: 'no-such', state: 'started' })).rejects.toThrow(
      /Could not find the requested service no-such/,
    )
    const undoable = makeTarget({ session: session(), undoable: true })
    await expect(apply(undoable, service, { name: 'rotad', state: 'restarted' })).rejects.toThrow(
      /cannot be undone/,
    )
  })
})

const systemctl = `#!/bin/sh
# state in /run/units: a file NAME with active and enabled words
dir=/run/units
while :; do case $1 in --no-block|--system|--force|--no-pager) shift ;; *) break ;; esac; done
verb=$1; shift
[ "$1" = --force ] && shift
name=\${1%.service}
get() { sed -n "s/^$1=//p" "$dir/$name" 2>/dev/null; }
put() { sed "s/^$1=.*/$1=$2/" "$dir/$name" >"$dir/$name.new" && mv "$dir/$name.new" "$dir/$name"; }
case $verb in
  daemon-reload) echo reload >>/run/reloads ;;
  show) [ -f "$dir/$name" ] && printf 'Id=%s.service\\nLoadState=loaded\\nActiveState=%s\\n' "$name" "$(get active)" || printf 'LoadState=not-found\\n' ;;
  is-active) get active; [ "$(get active)" = active ] ;;
  is-enabled) get enabled; [ "$(get enabled)" = enabled ] ;;
  start) put active active ;;
  stop) put active inactive ;;
  restart) put active active; echo "restart $name" >>/run/reloads ;;
  reload) echo "reload $name" >>/run/reloads ;;
  enable) put enabled enabled ;;
  disable) put enabled disabled ;;
  mask) put enabled masked ;;
  unmask) put enabled disabled ;;
  list-units) printf 'panel.service loaded active running The panel\\nbad.service loaded failed failed Bad\\nold.service not-found inactive dead old.service\\n' ;;
  list-unit-files) printf 'panel.service enabled enabled\\nidle.service static -\\n' ;;
esac
`
const units = `mkdir -p /run/systemd/system /run/units; printf 'active=inactive\\nenabled=disabled\\n' >/run/units/panel`
const unitWorld = 'cat /run/units/panel'

describe.skipIf(!hasSandbox).each(Object.keys(shells))('systemd under %s', shell => {
  const { session } = useSandbox(shell, { setUp: units, programs: { systemctl } })

  it('lives', async () => {
    for (const module of [service, systemd]) {
      const one = { session: session(), module, world: unitWorld }
      const both = await live({ ...one, args: { name: 'panel', state: 'started', enabled: true } })
      expect(both.world).toBe('active=active\nenabled=enabled\n')
      expect(both.result).toMatchObject({
        name: 'panel',
        state: 'started',
        enabled: true,
        status: { LoadState: 'loaded' },
      })
    }
    const masked = await live({
      session: session(),
      module: systemd,
      world: unitWorld,
      args: { name: 'panel', masked: true },
    })
    expect(masked.world).toBe('active=inactive\nenabled=masked\n')
  })

  it('reads unit files again first, and not in check mode', async () => {
    const args = { name: 'panel', state: 'restarted', daemon_reload: true }
    await apply(makeTarget({ session: session(), check: true }), systemd, args)
    expect(await look(session(), 'cat /run/reloads 2>/dev/null; exit 0')).toBe('')
    const done = await apply(makeTarget({ session: session() }), systemd, args)
    expect(done.changed).toBe(true)
    expect(await look(session(), 'cat /run/reloads')).toBe('reload\nrestart panel\n')
    const only = await apply(makeTarget({ session: session() }), systemd, { daemon_reload: true })
    expect(only.changed).toBe(false)
    expect(await look(session(), 'wc -l </run/reloads')).toMatch(/^\s*3$/m)
  })

  it('facts', async () => {
    const { facts } = await act(makeTarget({ session: session() }), serviceFacts, {})
    const services = facts!.get('services') as Map<string, Map<string, string>>
    const told = [...services].map(([name, one]) => [name, one.get('state'), one.get('status')])
    expect(told).toEqual([
      ['panel.service', 'running', 'enabled'],
      ['bad.service', 'stopped', 'failed'],
      ['old.service', 'stopped', 'not-found'],
      ['idle.service', 'inactive', 'static'],
    ])
  })
})

/** A service as OpenRC has them; what its sysinit leaves in /run is made here. */
const rcScript = `
rm -rf /run/systemd /run/openrc; mkdir -p /run/openrc/exclusive; : >/run/openrc/softlevel
rm -f /etc/init.d/*; printf '%s\\n' '#!/sbin/openrc-run' command=/bin/sleep command_args=1000 command_background=yes \
  pidfile=/run/rotad.pid extra_started_commands=reload 'reload() { echo reloaded >>/run/rotad.log; }' \
  'status() { service_started && ! kill -0 "$(cat "$pidfile")" && return 32; default_status; }' >/etc/init.d/rotad
chmod 755 /etc/init.d/rotad; rc-update -u >/dev/null 2>&1
`
const rcWorld = 'rc-service rotad status >/dev/null 2>&1 && echo up; rc-update show; exit 0'
const rcFolder = unpackedPackages('openrc')

describe.skipIf(!hasSandbox || rcFolder === undefined).each(Object.keys(shells))('OpenRC under %s', shell => {
  const { session } = useSandbox(shell, { setUp: rcScript, unpacked: rcFolder!, isDebian: true })

  it('lives', { timeout: 60_000 }, async () => {
    const one = { session: session(), module: service, world: rcWorld }
    const args = { name: 'rotad', state: 'started', enabled: true, runlevel: 'boot' }
    const done = await live({ ...one, args })
    expect(done.world).toMatch(/^up\n\s*rotad \|\s+boot\s*\n$/)
    const started = await live({ ...one, args: { name: 'rotad', state: 'started' }, keep: true })
    expect(started.world).toBe('up\n')
    const t = makeTarget({ session: session() })
    expect((await apply(t, service, { name: 'rotad', state: 'restarted' })).changed).toBe(true)
    expect((await apply(t, service, { name: 'rotad', state: 'reloaded' })).changed).toBe(true)
    expect(await look(session(), 'cat /run/rotad.log')).toBe('reloaded\n')
    await live({ ...one, args: { name: 'rotad', state: 'stopped' }, keep: true })
    await expect(apply(t, service, { name: 'x', state: 'started' })).rejects.toThrow(/Could not find/)
    await expect(apply(t, service, { name: 'rotad', enabled: true, runlevel: 'no-such' })).rejects.toThrow(
      /cannot enable the service rotad/,
    )
  })

  it('starts what has crashed', async () => {
    const t = makeTarget({ session: session() })
    await apply(t, service, { name: 'rotad', state: 'started' })
    const pid = await look(session(), 'cat /run/rotad.pid')
    await look(
      session(),
      `kill -9 ${pid.trim()}; while kill -0 ${pid.trim()} 2>/dev/null; do :; done; exit 0`,
    )
    expect(await look(session(), rcWorld)).toBe('')
    expect((await apply(t, service, { name: 'rotad', state: 'started' })).changed).toBe(true)
    expect(await look(session(), rcWorld)).toBe('up\n')
    await apply(t, service, { name: 'rotad', state: 'stopped' })
  })

  it('facts', async () => {
    await apply(makeTarget({ session: session() }), service, { name: 'rotad', enabled: true })
    const { facts } = await act(makeTarget({ session: session() }), serviceFacts, {})
    const services = facts!.get('services') as Map<string, Map<string, string>>
    const told = { name: 'rotad', state: 'stopped', status: 'enabled', source: 'openrc' }
    expect(services.get('rotad')).toEqual(new Map(Object.entries(told)))
  })
})
