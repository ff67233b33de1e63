// The scenes of rotating what the panel shares with others, judged from outside: by deliveries, by the providers' doubles, by the
// env file; of what rota says of itself only its exit codes and what an operator has to read.
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { login, visit } from '../../demo/outside.ts'
import type { Desk, Ran } from '../../demo/site.ts'
import { deliverFlutterwave, deliverPaystack } from '../doubles/payments.ts'
import { type IntegrationWorld, newToken, oldToken, openIntegrations, playbook } from './integration-world.ts'
import type { Colleague, Env, Stage } from './stage.ts'

/** `isWhole`: also the scenes in which nothing depends on what the host is made of. */
export function playIntegrationScenes(open: () => Promise<Stage>, isWhole: boolean): void {
  let stage: Stage
  let world: IntegrationWorld
  let bob: Colleague
  beforeAll(async () => {
    stage = await open()
    world = await openIntegrations(stage)
    bob = await stage.colleague('bob')
  }, 600_000)
  afterAll(async () => {
    await world?.close()
    await stage?.close()
  }, 60_000)

  const runArgs = (desk: Desk, values: Env, ...more: string[]): string[] => [
    'run',
    playbook,
    '-i',
    desk.inventory,
    ...world.flags,
    ...world.give(values),
    ...more,
  ]
  const rotateAt = (desk: Desk, values: Env): Promise<Ran> => desk.rota(runArgs(desk, values))
  const rotate = (values: Env, ...more: string[]): Promise<Ran> =>
    stage.desk.rota(runArgs(stage.desk, values, ...more))
  const runs = (): string[] => readdirSync(stage.desk.runs).sort()
  const lastRun = (): string => runs().at(-1)!
  const pick = (env: Env, ...names: string[]): Env =>
    Object.fromEntries(names.map(name => [name, env[name]!]))
  const names = ['PAYSTACK_SECRET', 'FLUTTERWAVE_WEBHOOK_HASH', 'PROXMOX_TOKEN_SECRET'] as const
  const issue = () => ['-e', 'proxmox_issue=true', '-e', `@${world.adminVars}`]
  /** What the panel answers to deliveries signed with these values: Paystack, Flutterwave v3, v4. */
  const answers = async (env: Env): Promise<number[]> => {
    const [key, hash] = [env['PAYSTACK_SECRET']!, env['FLUTTERWAVE_WEBHOOK_HASH']!]
    const url = stage.panelUrl
    const all = [
      await deliverPaystack(url, key, 'rota.verification'),
      ...[await deliverFlutterwave(url, hash, 3, 'rota.verification')],
      await deliverFlutterwave(url, hash, 4, 'rota.verification'),
    ]
    return all.map(({ status }) => status)
  }
  const proxmoxPage = async (): Promise<number> => {
    const { accessToken } = await login(stage.panelUrl, await stage.env())
    return visit(stage.panelUrl, '/settings/proxmox', accessToken)
  }
  async function expectRefused(done: Ran, message: RegExp, before: Env): Promise<void> {
    expect(done.code, done.output).toBe(3)
    expect(done.output).toMatch(message)
    expect(await stage.env()).toEqual(before)
  }

  it('refuses a Proxmox token without rights, though /version takes it; and one with more', async () => {
    const before = await stage.env()
    const bare = world.proxmox.addToken('panel@pve!bare')
    const tokens = world.proxmox.tokens()
    const id = ['-e', 'proxmox_token_id=panel@pve!bare']
    const none = await rotate({ PROXMOX_TOKEN_SECRET: bare }, ...id)
    await expectRefused(none, /new Proxmox token may \{\}, the one in force\s+\{"\/vms":/, before)
    const log = world.proxmox.log.filter(line => line === 'GET /api2/json/version')
    expect(log.length).toBeGreaterThan(0)
    world.proxmox.grant('panel@pve!bare', '/', 'PVEVMUser')
    await expectRefused(
      await rotate({ PROXMOX_TOKEN_SECRET: bare }, ...id),
      /new Proxmox token may \{"\/":/,
      before,
    )
    expect(world.proxmox.tokens()).toEqual(tokens)
  }, 120_000)

  it.runIf(isWhole).each([
    ['PAYSTACK_SECRET', 'sk_live_unknown_to_paystack', /Status code was 401/],
    ['SLACK_WEBHOOK_URL', undefined, /Slack takes a message/],
    ['SMTP_PASSWORD', 'not-the-password-of-anybody', /refuses the login: 535/],
    ['PROXMOX_TOKEN_SECRET', '00000000-0000-0000-0000-000000000000', /Status code was 401/],
  ])(
    'refuses a %s that is not taken where it is to be used',
    async (name, value, message) => {
      const before = await stage.env()
      const unknown = `${new URL(world.before[name.replace(/^(?!.*URL).*$/, 'ALERT_WEBHOOK_URL')]!).origin}/services/x`
      await expectRefused(await rotate({ [name]: value ?? unknown }), message, before)
    },
    60_000,
  )

  it.runIf(isWhole)(
    'wants something to rotate, and never a value on the command line',
    async () => {
      await expectRefused(await rotate({}), /Give at least one --secret NAME=-/, await stage.env())
      const typed = await rotate({}, '--secret', 'PAYSTACK_SECRET=sk_live_typed_by_hand')
      expect(typed.code).toBe(64)
      expect(typed.output).toMatch(/→ write --secret NAME=- to be asked/)
      expect(typed.output).not.toContain('typed_by_hand')
    },
    60_000,
  )

  it.runIf(isWhole)(
    'with --check asks everybody and changes nothing, neither the panel nor a provider',
    async () => {
      const before = await stage.env()
      const tokens = world.proxmox.tokens()
      const given = await rotate(world.after, '-e', `proxmox_token_id=${newToken}`, '--check')
      expect(given.code, given.output).toBe(0)
      expect(given.output).toMatch(/TASK \[Write the new secrets into the env file[\s\S]*?\nchanged: /)
      const issued = await rotate({}, ...issue(), '--check')
      expect(issued.code, issued.output).toBe(0)
      expect(await stage.env()).toEqual(before)
      expect(world.proxmox.tokens()).toEqual(tokens)
      expect(world.proxmox.log.filter(line => !line.startsWith('GET '))).toEqual([])
    },
    60_000,
  )

  it('rotates all of them: the panel takes both keys of the webhooks, and the run waits for the dashboards', async () => {
    const flags = ['-e', `proxmox_token_id=${newToken}`, '-e', 'webhook_wants_delivery=true']
    const done = await rotate(world.after, ...flags, '--recipient', bob.recipient)
    expect(done.code, done.output).toBe(11)
    const env = await stage.env()
    expect(env).toMatchObject({ ...world.after, PROXMOX_TOKEN_ID: newToken })
    expect(env['PAYSTACK_SECRET_PREVIOUS']).toBe(world.before['PAYSTACK_SECRET'])
    expect(env['FLUTTERWAVE_WEBHOOK_HASH_PREVIOUS']).toBe(world.before['FLUTTERWAVE_WEBHOOK_HASH'])
    expect([await answers(world.before), await answers(world.after)]).toEqual([
      [200, 200, 200],
      [200, 200, 200],
    ])
    expect(await answers({ PAYSTACK_SECRET: 'x', FLUTTERWAVE_WEBHOOK_HASH: 'x' })).toEqual([401, 401, 401])
    expect(await proxmoxPage()).toBe(200)
  }, 120_000)

  it('shows what it waits for, and neither goes on nor ends the old keys by itself', async () => {
    const run = lastRun()
    const status = await stage.desk.rota(['status'])
    expect(status.code).toBe(11)
    expect(status.output).toMatch(new RegExp(`^${run} +awaiting_provider .*→ rota confirm ${run}$`, 'm'))
    expect(status.output).toMatch(/^ +waits for flutterwave: in Flutterwave's dashboard/m)
    expect(status.output).toMatch(/^ +grace: the previous PAYSTACK_SECRET counts until \S+Z \(72 h left\)$/m)
    expect((await stage.desk.rota(['resume', run])).code).toBe(11)
    const early = await stage.desk.rota(['finalise', run])
    expect(early.code).toBe(11)
    expect(early.output).toMatch(new RegExp(`E_AWAITING[\\s\\S]*→ when that is done: rota confirm ${run}`))
  }, 60_000)

  it('a colleague on another machine confirms; what can be proven of it has to be so', async () => {
    const run = lastRun()
    const confirm = ['confirm', run, '--from-host', 'my.votcloud.com', '-i', bob.desk.inventory]
    const early = await bob.desk.rota(confirm)
    expect(early.code, early.output).toBe(11)
    expect(early.output).toMatch(/Proxmox refuses the token of before/)
    world.proxmox.removeToken(oldToken)
    const undelivered = await bob.desk.rota(['confirm', run])
    expect(undelivered.code, undelivered.output).toBe(11)
    expect(undelivered.output).toMatch(/No delivery of paystack is signed with the new key yet/)
    await deliverPaystack(stage.panelUrl, world.after['PAYSTACK_SECRET']!)
    await deliverFlutterwave(stage.panelUrl, world.after['FLUTTERWAVE_WEBHOOK_HASH']!, 4)
    const done = await bob.desk.rota(['confirm', run])
    expect(done.code, done.output).toBe(0)
    const status = await bob.desk.rota(['status'])
    expect([status.code, status.output]).toEqual([0, expect.stringMatching(/in_grace .*→ rota finalise/)])
    expect(await answers(world.before)).toEqual([200, 200, 200])
  }, 120_000)

  it.runIf(isWhole)(
    'refuses a second rotation in the window, but not of another secret',
    async () => {
      const before = await stage.env()
      const again = await rotate({ PAYSTACK_SECRET: world.before['PAYSTACK_SECRET']! })
      await expectRefused(
        again,
        /PAYSTACK_SECRET is in grace on my.votcloud.com: run \S+ lets its previous value count until/,
        before,
      )
      // The machine of somebody else knows nothing of the run: the host does.
      const carol = await stage.colleague('carol')
      const stranger = await rotateAt(carol.desk, { PAYSTACK_SECRET: world.before['PAYSTACK_SECRET']! })
      await expectRefused(stranger, /PAYSTACK_SECRET is in grace on my.votcloud.com: run \S+ lets/, before)
      const other = await rotate(pick(world.before, 'SMTP_PASSWORD'))
      expect(other.code, other.output).toBe(0)
    },
    120_000,
  )

  it('does not end the old keys while deliveries signed with them arrive', async () => {
    const run = readdirSync(bob.desk.runs).sort()[0]
    const before = await stage.env()
    expect((await deliverPaystack(stage.panelUrl, world.before['PAYSTACK_SECRET']!)).status).toBe(200)
    const late = await bob.desk.rota(['finalise', run!])
    await expectRefused(late, /previous key still arrive: paystack\./, before)
    expect(await answers(world.before)).toEqual([200, 200, 200])
    // The same by a question to a log: two of Flutterwave, none of Paystack.
    const query = { webhook_log_command: "sh -c 'test $PROVIDER = paystack && printf 0 || printf 2'" }
    const logged = await bob.desk.rota(['finalise', run!, '-e', JSON.stringify(query)])
    await expectRefused(logged, /previous key still arrive: flutterwave\./, before)
    const status = await bob.desk.rota(['status', run!])
    expect(status.output).toMatch(/in_grace .*→ rota finalise/)
  }, 120_000)

  it('ends the old keys when nobody signs with them, and proves it', async () => {
    const finalise = ['rotate-integration-secrets', '--finalize-payment-webhook-grace']
    const done = await bob.desk.rota([...finalise, '-e', 'webhook_quiet_s=0'])
    expect(done.code, done.output).toBe(0)
    const env = await stage.env()
    expect(Object.keys(env).filter(name => name.endsWith('_PREVIOUS'))).toEqual([])
    expect([await answers(world.before), await answers(world.after)]).toEqual([
      [401, 401, 401],
      [200, 200, 200],
    ])
    expect((await bob.desk.rota(['status'])).output).toMatch(/finalised/)
  }, 120_000)

  /** Starts rota and kills it without warning as soon as it shows these words. */
  async function killAt(words: string, args: readonly string[]): Promise<void> {
    const rota = stage.desk.start(args)
    let output = ''
    for (const stream of [rota.stdout!, rota.stderr!])
      stream.on('data', chunk => {
        output += chunk
        if (output.includes(words)) rota.kill('SIGKILL')
      })
    await once(rota, 'close')
    expect(output).toContain(words)
  }

  it.runIf(isWhole)(
    'the machine where the run was begun learns from the host how it ended',
    async () => {
      const [run] = readdirSync(bob.desk.runs)
      const flags = ['--from-host', 'my.votcloud.com', '-i', stage.desk.inventory]
      const done = await stage.desk.rota(['finalise', run!, ...flags])
      expect(done.code, done.output).toBe(0)
      expect((await stage.desk.rota(['status', run!])).output).toMatch(/ finalised /)
    },
    60_000,
  )

  it.runIf(isWhole)(
    'is all old after kill -9 in the middle and `rota rollback`, and leaves no second token behind',
    async () => {
      const before = await stage.env()
      const tokens = world.proxmox.tokens()
      const args = runArgs(stage.desk, pick(world.before, 'PAYSTACK_SECRET'), ...issue())
      // After the write, before the panel is asked.
      await killAt('PHASE verify', args)
      expect((await stage.env())['PROXMOX_TOKEN_ID']).toMatch(/^panel@pve!rota-/)
      const done = await stage.desk.rota(['rollback', lastRun()])
      expect(done.code, done.output).toBe(10)
      expect(await stage.env()).toEqual(before)
      expect(world.proxmox.tokens()).toEqual(tokens)
      expect([await answers(world.after), await proxmoxPage()]).toEqual([[200, 200, 200], 200])
    },
    120_000,
  )

  it.runIf(isWhole)(
    'makes the second Proxmox token itself, and deletes the first when it is finalised, killed in between or not',
    async () => {
      const done = await rotate({}, ...issue())
      expect(done.code, done.output).toBe(0)
      const id = (await stage.env())['PROXMOX_TOKEN_ID']!
      expect(id).toContain(`panel@pve!rota-${lastRun()}`)
      expect(world.proxmox.tokens()).toEqual(expect.arrayContaining([newToken, id]))
      expect(await proxmoxPage()).toBe(200)
      await killAt('TASK [The panel refuses the previous key', ['finalise'])
      const end = await stage.desk.rota(['finalise'])
      expect(end.code, end.output).toBe(0)
      expect(world.proxmox.tokens()).not.toContain(newToken)
      expect(await proxmoxPage()).toBe(200)
    },
    120_000,
  )

  it.runIf(isWhole)(
    'with --force the key that still counts is driven out at once, and its run cannot be finalised',
    async () => {
      const [first, second] = [
        { FLUTTERWAVE_WEBHOOK_HASH: 'a-first-new-hash-1' },
        { FLUTTERWAVE_WEBHOOK_HASH: 'a-second-new-hash-2' },
      ]
      expect((await rotate(first)).code).toBe(11)
      const run = lastRun()
      expect((await rotate(second)).code).toBe(3)
      const forced = await rotate(second, '--force')
      expect(forced.code, forced.output).toBe(11)
      const answer = async (env: Env) =>
        (await deliverFlutterwave(stage.panelUrl, env['FLUTTERWAVE_WEBHOOK_HASH']!, 4)).status
      expect([await answer(world.after), await answer(first), await answer(second)]).toEqual([401, 200, 200])
      expect((await stage.desk.rota(['confirm', run])).code).toBe(0)
      const late = await stage.desk.rota(['finalise', run])
      expect(late.code, late.output).toBe(3)
      expect(late.output).toMatch(/FLUTTERWAVE_WEBHOOK_HASH_PREVIOUS is of another rotation/)
      const { output } = await stage.desk.rota(['status'])
      expect([
        output.match(/grace: the previous FLUTTERWAVE/g)?.length,
        output.includes(`rota finalise ${run}`),
      ]).toEqual([1, false])
    },
    180_000,
  )

  it.runIf(isWhole)(
    'after an incident the old key does not count for a moment longer',
    async () => {
      const old = await stage.env()
      const [, given = ''] = world.give(pick(world.before, 'PAYSTACK_SECRET'))
      const file = given.replace('PAYSTACK_SECRET=', '')
      const args = [
        '-i',
        stage.desk.inventory,
        ...world.flags,
        '--paystack-secret',
        file,
        '--reason',
        'incident',
      ]
      const done = await stage.desk.rota(['rotate-integration-secrets', ...args])
      expect(done.code, done.output).toBe(11)
      const deliver = async (env: Env) =>
        (await deliverPaystack(stage.panelUrl, env['PAYSTACK_SECRET']!)).status
      expect([await deliver(old), await deliver(world.before)]).toEqual([401, 200])
      expect(await stage.env()).not.toHaveProperty('PAYSTACK_SECRET_PREVIOUS')
      const end = await stage.desk.rota(['confirm', lastRun()])
      expect([end.code, end.output]).toEqual([0, expect.stringMatching(/rotation: \[\S+\] committed$/m)])
    },
    60_000,
  )

  it('leaves no secret in any file of its own', () => {
    const state = dirname(stage.desk.runs)
    const files = [state, dirname(bob.desk.runs)].flatMap(folder =>
      readdirSync(folder, { withFileTypes: true, recursive: true })
        .filter(entry => entry.isFile())
        .map(entry => join(entry.parentPath, entry.name)),
    )
    expect(files.length).toBeGreaterThan(20)
    const forms = world
      .secrets()
      .flatMap(value => [value, Buffer.from(value).toString('hex'), encodeURIComponent(value)])
    const found = files.filter(file => {
      const bytes = readFileSync(file)
      return forms.some(form => bytes.includes(form))
    })
    expect(found).toEqual([])
    expect(names.every(name => world.secrets().includes(world.before[name]!))).toBe(true)
  })
}
