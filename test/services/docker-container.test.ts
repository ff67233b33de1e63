// docker_container with a real engine: made, compared, made anew, started, stopped, removed, undone. The image is a busybox.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { toValue } from '../../src/core/value.ts'
import { dockerContainer } from '../../src/modules/docker-container.ts'
import { dockerExec } from '../../src/modules/docker-container-exec.ts'
import { recipeOf } from '../../src/modules/docker-options.ts'
import { runLab, whyNoLab } from '../lab/labhosts.ts'
import { applyState, makeTarget, runAction, shells } from './target.ts'

const why = whyNoLab()
if (why !== undefined) console.log(`skipped: ${why}`)

const tag = `rota-test-${process.pid}`
const docker = (...words: string[]): string =>
  execFileSync('docker', words, { stdio: ['ignore', 'pipe', 'pipe'] })
    .toString()
    .trim()
const folder = mkdtempSync(join(tmpdir(), 'rota-image-'))
beforeAll(() => {
  if (why !== undefined) return
  // One at a time: other test files want the engine too.
  runLab('setup.sh', 'engine')
  for (const [, name, value] of runLab('engine.sh', 'env').matchAll(/^export (\w+)=(.*)$/gm))
    process.env[name!] = value!
  mkdirSync(join(folder, 'bin'))
  execFileSync('sh', ['-c', 'cp "$(command -v busybox)" "$1"', 'sh', join(folder, 'bin/busybox')])
  for (const applet of ['sh', 'sleep', 'cat', 'env', 'id', 'hostname'])
    symlinkSync('busybox', join(folder, 'bin', applet))
  const archive = execFileSync('tar', ['-c', '-C', folder, 'bin'], { maxBuffer: 1e8 })
  for (const version of ['1', '2'])
    execFileSync(
      'docker',
      [
        'import',
        '--change',
        'CMD ["sleep", "1000"]',
        '--change',
        `ENV VERSION=${version}`,
        '-',
        `${tag}:${version}`,
      ],
      {
        input: archive,
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    )
  docker('network', 'create', `${tag}-a`)
  docker('network', 'create', `${tag}-b`)
}, 300_000)
afterAll(() => {
  if (why !== undefined) return
  const left = docker('ps', '-aq', '--filter', `name=${tag}`).split('\n').filter(Boolean)
  if (left.length > 0) docker('rm', '-fv', ...left)
  for (const name of ['a', 'b']) docker('network', 'rm', `${tag}-${name}`)
  docker('volume', 'rm', '-f', `${tag}-volume`)
  docker('rmi', '-f', `${tag}:1`, `${tag}:2`)
  rmSync(folder, { recursive: true })
})

describe.skipIf(why !== undefined).each(Object.entries(shells))(
  'docker_container under %s',
  (shellName, shell) => {
    const name = `${tag}-${shellName}`
    const at = (more: object = {}) => ({ ...makeTarget({ shell }), ...more })
    const full = {
      name,
      image: `${tag}:1`,
      command: ['sh', '-c', 'echo "$1"; sleep 1000', 'sh', "it's"],
      env: new Map<string, unknown>([
        ['PLAIN', "a 'b' $c"],
        ['SECRET', new Secret('canary 42', 'key')],
      ]),
      published_ports: ['127.0.0.1::80'],
      volumes: [`${tag}-volume:/data`, `${folder}:/host:ro`],
      networks: toValue([
        { name: `${tag}-a`, aliases: ['first'] },
        { name: `${tag}-b`, aliases: ['second'] },
      ]),
      restart_policy: 'on-failure',
      restart_retries: 3,
      labels: new Map([['made.by', 'rota it is']]),
      user: '12:34',
      working_dir: '/host',
      hostname: 'inside',
      memory: '64m',
      etc_hosts: new Map([['db', '10.0.0.1']]),
      read_only: true,
      stop_timeout: 0,
    }
    const inspect = (format: string): string => docker('container', 'inspect', '--format', format, name)

    it('makes it as asked for, and again is no change', { timeout: 120_000 }, async () => {
      expect((await applyState(at({ check: true }), dockerContainer, full)).changed).toBe(true)
      expect(() => inspect('{{.Id}}')).toThrow()
      const made = await applyState(at({ undoable: true }), dockerContainer, full)
      expect(made.changed).toBe(true)
      expect(
        docker('exec', name, 'sh', '-c', 'echo "$PLAIN|$SECRET|$VERSION|$(id -u)|$PWD|$(hostname)"'),
      ).toBe("a 'b' $c|canary 42|1|12|/host|inside")
      expect(docker('logs', name)).toBe("it's")
      expect(inspect('{{json .NetworkSettings.Networks}}')).toMatch(
        new RegExp(`"${tag}-a".*first.*"${tag}-b".*second`, 's'),
      )
      expect(inspect('{{.HostConfig.RestartPolicy}} {{.HostConfig.Memory}}')).toBe('{on-failure 3} 67108864')
      expect((await applyState(at(), dockerContainer, full)).changed).toBe(false)
      expect((await applyState(at(), dockerContainer, { name })).changed).toBe(false)
      await made.undo()
      expect(() => inspect('{{.Id}}')).toThrow()
      await made.replay()
    })

    it('makes it anew when something differs, else leaves it', { timeout: 120_000 }, async () => {
      const id = () => inspect('{{.Id}}')
      const changes: readonly (readonly [string, object])[] = [
        ['env', { env: new Map([['SECRET', new Secret('other', 'key')]]) }],
        ['image', { image: `${tag}:2` }],
        ['command', { command: 'sleep 999' }],
        ['memory', { memory: '65m' }],
        ['volumes', { volumes: ['/anonymous'] }],
        ['published_ports', { published_ports: ['81/udp'] }],
      ]
      // Every shell sends the same words: one is enough for the rest.
      for (const [option, more] of shellName === 'dash' ? changes : changes.slice(0, 1)) {
        const args = { ...full, [option]: undefined, ...more }
        const old = id()
        await expect(applyState(at({ undoable: true }), dockerContainer, args)).rejects.toThrow(
          /cannot be undone/,
        )
        const ignoring = { ...args, comparisons: new Map([[option, 'ignore']]) }
        expect([option, (await applyState(at(), dockerContainer, ignoring)).changed]).toEqual([option, false])
        const done = await applyState(at(), dockerContainer, args)
        expect([option, (done.before as { differing: string[] }).differing]).toEqual([option, [option]])
        expect(id()).not.toBe(old)
        expect([option, (await applyState(at(), dockerContainer, args)).changed]).toEqual([option, false])
        await applyState(at(), dockerContainer, { ...full, force_kill: true })
      }
      const old = id()
      const { image: _, ...rest } = full
      await expect(applyState(at(), dockerContainer, { ...rest, hostname: 'other' })).rejects.toThrow(
        /nothing says how to make it/,
      )
      expect(id()).toBe(old)
    })

    it('starts, stops, pauses, removes', { timeout: 120_000 }, async () => {
      const stopped = await applyState(at({ undoable: true }), dockerContainer, {
        name,
        state: 'stopped',
        stop_timeout: 0,
      })
      expect(inspect('{{.State.Running}}')).toBe('false')
      expect((await applyState(at(), dockerContainer, { name, state: 'present' })).changed).toBe(false)
      await stopped.undo()
      expect(inspect('{{.State.Running}}')).toBe('true')
      await applyState(at(), dockerContainer, { name, paused: true })
      expect(inspect('{{.State.Paused}}')).toBe('true')
      await applyState(at(), dockerContainer, { name, paused: false })
      const ran = await runAction(at(), dockerExec, { container: name, argv: ['cat', '/host/bin/nothing'] })
      expect(ran).toMatchObject({ failed: true, values: { rc: 1 } })
      await expect(
        applyState(at({ undoable: true }), dockerContainer, { name, state: 'absent' }),
      ).rejects.toThrow(/cannot be undone/)
      expect(
        (await applyState(at(), dockerContainer, { name, state: 'absent', force_kill: true })).changed,
      ).toBe(true)
      expect((await applyState(at(), dockerContainer, { name, state: 'absent' })).changed).toBe(false)
      await expect(applyState(at(), dockerContainer, { name })).rejects.toThrow(/there is no container/)
      const created = { name, image: `${tag}:1`, state: 'present' }
      expect((await applyState(at(), dockerContainer, created)).changed).toBe(true)
      expect(inspect('{{.State.Status}}')).toBe('created')
      await applyState(at(), dockerContainer, { name, state: 'absent' })
      await expect(
        applyState(at(), dockerContainer, { name, image: 'rota.invalid/none:1', pull: 'never' }),
      ).rejects.toThrow(/cannot create/)
      const lines = new Map([['A', 'one\ntwo']])
      await expect(applyState(at(), dockerContainer, { ...created, env: lines })).rejects.toThrow(
        /holds a line end/,
      )
      expect(() => inspect('{{.Id}}')).toThrow()
    })
  },
)

it('refuses what it does not understand, before anything is asked', async () => {
  const args = { image: 'x', name: 'x' }
  const refused = (more: object) => expect(() => recipeOf('x', { ...args, ...more }, 'missing'))
  refused({ published_ports: ['8000-8010:80'] }).toThrow(/8000-8010/)
  refused({ networks: toValue([{ name: 'a', driver_opts: 1 }]) }).toThrow(/driver_opts/)
  refused({ memory: 'much' }).toThrow(/memory/)
  refused({ env: new Map([['A', true]]) }).toThrow(/no text/)
  refused({ labels: new Map([['A', new Secret('x', 'x')]]) }).toThrow(/no text/)
  refused({ command: toValue([new Secret('x', 'x')]) }).toThrow(/command/)
  const spied = recipeOf('x', { ...args, env: new Map([['A', new Secret('canary', 'x')]]) }, 'missing')
  expect(JSON.stringify(spied?.words)).not.toContain('canary')
})
