// compose_stack and process_env with an engine played by two small scripts: which command lines reach compose, what counts
// as a change, what a process holds. The real engine is the production host's, in test/e2e.
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { composeStack } from '../../src/modules/compose-stack.ts'
import { dockerComposeV2 } from '../../src/modules/docker-compose-v2.ts'
import { processEnv } from '../../src/modules/process-env.ts'
import { makeTarget, runAction, shells } from './target.ts'

const path = process.env['PATH']
const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
})

/** An engine in a folder: `up` writes a container, `down` removes it, each call is noted. */
const engine = `#!/bin/sh
note() { printf '%s|' "$PWD" "$@" >>"$FOLDER/calls"; printf '\\n' >>"$FOLDER/calls"; }
compose() {
  case " $* " in
    *" ps "*) if [ -f "$FOLDER/state" ]; then echo id-1; fi; exit ;;
  esac
  note "$@"
  if [ -f "$FOLDER/broken" ]; then echo 'no such image: x' >&2; exit 17; fi
  case " $* " in
    *" --force-recreate "*) echo "recreated $$" >"$FOLDER/state" ;;
    *" up "*) [ -f "$FOLDER/state" ] || echo first >"$FOLDER/state" ;;
    *" stop "*) echo stopped >"$FOLDER/state" ;;
    *" down "*) rm -f "$FOLDER/state" ;;
  esac
}
FOLDER=$(cd "$(dirname "$0")" && pwd)
case "$(basename "$0") $1 $2" in
  "docker compose version") [ ! -f "$FOLDER/v1" ] ;;
  "docker compose "*) shift; compose "$@" ;;
  "docker inspect -f") case $3 in *Pid*) cat "$FOLDER/pid" ;; *) echo "/stack-app-1 id-1 $(cat "$FOLDER/state")" ;; esac ;;
  "docker exec "*) shift 2; [ ! -f "$FOLDER/nocat" ] || exit 127; [ "$1" = cat ] && cat "/proc/$(cat "$FOLDER/pid")/environ" ;;
  "docker-compose "*) compose "$@" ;;
esac
`
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-engine-'))
  mkdirSync(join(folder, 'my app'))
  for (const name of ['docker', 'docker-compose']) {
    writeFileSync(join(folder, name), engine)
    chmodSync(join(folder, name), 0o755)
  }
  process.env['PATH'] = `${folder}:${path}`
})
afterEach(() => {
  process.env['PATH'] = path
})
const has = (name: string, text = ''): void => writeFileSync(join(folder, name), text)
const calls = (): string[] => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')

describe.each(Object.entries(shells))('under %s', (_name, shell) => {
  const run = (args: object) =>
    runAction(makeTarget({ shell }), composeStack, { project_src: join(folder, 'my app'), ...args })

  it('gives compose the words of your own command, in your own folder', async () => {
    const outcome = await run({
      files: ['infra/a b.yml', 'c.yml'],
      env_file: '.env.production',
      build: 'always',
      recreate: 'always',
      wait: true,
      wait_timeout: 9,
      services: ['app'],
    })
    expect(outcome.changed).toBe(true)
    expect(calls()).toEqual([
      `${join(folder, 'my app')}|--env-file|.env.production|-f|infra/a b.yml|-f|c.yml|up|-d|--force-recreate|--build|--wait|--wait-timeout|9|app|`,
    ])
  })

  it('is changed only when a container is another one, or was started or stopped', async () => {
    expect((await run({})).changed).toBe(true)
    expect((await run({})).changed).toBe(false)
    expect((await run({ recreate: 'always' })).changed).toBe(true)
    expect((await run({ state: 'stopped', timeout: 3 })).changed).toBe(true)
    const gone = await run({ state: 'absent', remove_volumes: true })
    expect(gone).toMatchObject({ changed: true, values: { containers: [] } })
    expect((await run({ state: 'absent' })).changed).toBe(false)
    expect(calls().map(call => call.split('|').slice(1, -1).join(' '))).toEqual([
      'up -d',
      'up -d',
      'up -d --force-recreate',
      'stop -t 3',
      'down -v',
      'down',
    ])
  })

  it('uses docker-compose where there is no docker compose, and names what that cannot do', async () => {
    has('v1')
    expect((await run({ build: 'always' })).values['containers']).toEqual([
      { name: 'stack-app-1', id: 'id-1', state: 'first', started: '' },
    ])
    const refused = await run({ wait: true })
    expect(refused).toMatchObject({ failed: true, changed: false })
    expect(refused.msg).toContain('docker-compose 1 has no --wait')
    expect(calls()).toHaveLength(1)
  })

  it('takes the options of docker_compose_v2', async () => {
    const project_src = join(folder, 'my app')
    const v2 = (args: object) => runAction(makeTarget({ shell }), dockerComposeV2, { project_src, ...args })
    const project = {
      project_name: 'panel',
      files: ['a b.yml'],
      env_files: ['one', 't wo'],
      profiles: ['web'],
    }
    const up = {
      pull: 'missing',
      scale: new Map([['app', 2]]),
      recreate: 'never',
      dependencies: false,
      wait: true,
    }
    expect((await v2({ ...project, ...up, timeout: 4, services: ['app'] })).changed).toBe(true)
    expect((await v2({ state: 'stopped' })).changed).toBe(true)
    const down = { state: 'absent', remove_images: 'local', remove_volumes: true, remove_orphans: true }
    expect(await v2(down)).toMatchObject({ changed: true, values: { containers: [] } })
    expect(calls()).toEqual([
      `${project_src}|--env-file|one|--env-file|t wo|--profile|web|-f|a b.yml|-p|panel|up|-d|-t|4|--no-recreate|--no-deps|--pull|missing|--wait|--scale|app=2|app|`,
      `${project_src}|stop|`,
      `${project_src}|down|--remove-orphans|-v|--rmi|local|`,
    ])
    await expect(v2({ scale: new Map([['app', 'many']]) })).rejects.toMatchObject({ code: 'E_PARAMS' })
    has('v1')
    expect(await v2({})).toMatchObject({ failed: true, msg: expect.stringContaining('use compose_stack') })
  })

  it('says what went wrong', async () => {
    has('broken')
    const broken = await run({})
    expect(broken).toMatchObject({ failed: true, msg: 'compose up: no such image: x', values: { rc: 17 } })
    const nowhere = await run({ project_src: '/nonexistent' })
    expect(nowhere).toMatchObject({ failed: true, msg: 'compose up: there is no folder /nonexistent' })
    await expect(run({ state: 'absent', services: ['x'] })).rejects.toMatchObject({ code: 'E_PARAMS' })
  })
})

/** A process that holds the variables and waits. */
function holder(env: Record<string, string>, mark = 'x'): number {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', mark], { env, stdio: 'ignore' })
  children.push(child)
  return child.pid!
}
/** The environment is there once the program is: until then /proc shows the parent's. */
async function settled(pid: number): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('setInterval')) return
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

describe.each(Object.entries(shells))('process_env under %s', (_name, shell) => {
  const check = (name: string, expected: string, args: object) =>
    runAction(makeTarget({ shell }), processEnv, { name, expected: new Secret(expected, name), ...args })

  it('compares any value byte by byte and shows none', async () => {
    const odd = 'it\'s\n"a=b"\n\n $x ü \\ end\n'
    const env = { A: 'one', AA: 'two', EMPTY: '', ODD: odd, 'X.A': 'three' }
    const pid = holder(env)
    await settled(pid)
    for (const [name, value] of [
      ['A', 'one'],
      ['AA', 'two'],
      ['EMPTY', ''],
      ['ODD', odd],
    ] as const)
      expect(await check(name, value, { pid })).toMatchObject({ changed: false, values: { matches: true } })
    const wrong = await check('A', 'two', { pid })
    expect(wrong).toMatchObject({
      failed: true,
      values: { processes: [{ id: String(pid), found: 'different' }] },
    })
    expect(wrong.msg).toContain('another value of A')
    expect(JSON.stringify(wrong)).not.toMatch(/one|two/)
    expect(await check('ODD', odd.trimEnd(), { pid })).toMatchObject({ failed: true })
    expect((await check('B', '', { pid })).values['processes'][0].found).toBe('absent')
    expect(await check('A', 'one', { pid: 4_194_305 })).toMatchObject({ failed: true })
    await expect(check('A; id', 'x', { pid })).rejects.toMatchObject({ code: 'E_PARAMS' })
  })

  it('finds the process by pidfile, command line, container and service', async () => {
    const mark = `holder-${folder.slice(-6)}`
    const pids = [holder({ A: 'one' }, mark), holder({ A: 'one' }, mark)]
    for (const pid of pids) await settled(pid)
    has('pid', `${pids[0]}\n`)
    has('state', 'first')
    for (const args of [
      { pidfile: join(folder, 'pid') },
      { match: mark },
      { container: 'id-1' },
      { service: 'app', project_src: folder },
    ])
      expect(await check('A', 'one', args)).toMatchObject({ values: { matches: true } })
    expect((await check('A', 'one', { match: mark })).values['processes']).toHaveLength(2)
    has('nocat')
    expect(await check('A', 'one', { container: 'id-1' })).toMatchObject({ values: { matches: true } })
    const third = holder({ A: 'old' }, mark)
    await settled(third)
    expect(await check('A', 'one', { match: mark })).toMatchObject({
      failed: true,
      values: { matches: false },
    })
    expect(await check('A', 'one', { match: `${mark}-not` })).toMatchObject({
      failed: true,
      msg: 'no such process is running',
    })
  })
})
