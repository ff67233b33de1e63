// What a plain file system cannot show: attributes and SELinux contexts (stand-ins that keep them in a file), debconf's answers (the real
// programs), a user's SSH key (the real ssh-keygen).
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { copy } from '../../src/modules/copy.ts'
import { debconf } from '../../src/modules/debconf.ts'
import { file } from '../../src/modules/file.ts'
import { user } from '../../src/modules/user.ts'
import { makeTarget } from '../support/target.ts'
import { apply, shells } from './harness.ts'
import { live, look } from './lifecycle.ts'
import { hasProgram, hasSandbox, useSandbox } from './sandbox.ts'

/** A program of the machine, for the busybox host too. */
const real = (name: string): string => `#!/bin/sh\nPATH=/usr/sbin:/usr/bin:/sbin:/bin exec ${name} "$@"\n`
const marks = {
  lsattr: `#!/bin/sh\n[ -f /run/flags ] || exit 1\nprintf -- '----%s---- %s\\n' "$(cat /run/flags)" "$3"\n`,
  chattr: `#!/bin/sh
old=$(cat /run/flags)
case $1 in
  +*) printf '%s' "$old\${1#+}" ;;
  -*) printf '%s' "$old" | tr -d "\${1#-}" ;;
esac >/run/flags.new
mv /run/flags.new /run/flags
`,
  stat: `#!/bin/sh
if [ "$2" = %C ]; then
  if [ "$4" = /var/marked ] && [ -s /run/context ]; then cat /run/context; else echo system_u:object_r:var_t:s0; fi
else
  PATH=/usr/bin:/bin exec stat "$@"
fi
`,
  chcon: `#!/bin/sh\nprintf '%s\\n' "$3" >/run/context\n`,
}
const setUp =
  'printf x >/var/marked; chmod 0644 /var/marked; printf A >/run/flags; echo system_u:object_r:var_t:s0 >/run/context'
const world = 'cat /run/flags /run/context /var/marked; ls -l /var/marked'

describe.skipIf(!hasSandbox).each(Object.keys(shells))('marks of a file under %s', shell => {
  const { session } = useSandbox(shell, { setUp, programs: marks })

  it('live', async () => {
    const one = { session: session(), module: file, world }
    const path = '/var/marked'
    expect((await live({ ...one, args: { path, attributes: '+i' } })).world).toMatch(/^Ai/)
    expect((await live({ ...one, args: { path, attributes: '-A' } })).world).toMatch(/^system_u/)
    expect((await live({ ...one, args: { path, attributes: 'S', mode: '0600' } })).world).toMatch(/^S/)
    await live({ ...one, args: { path, attributes: '=A' }, changed: false })
    // This busybox asks its own stat first, whatever is on PATH.
    if (shell === 'busybox') return
    const typed = await live({ ...one, args: { path, setype: 'httpd_sys_content_t', selevel: 's0:c1,c2' } })
    expect(typed.world).toContain('system_u:object_r:httpd_sys_content_t:s0:c1,c2')
    await live({ ...one, args: { path, setype: 'var_t', seuser: '_default' }, changed: false })
  })
  it.skipIf(shell === 'busybox')('stay when the content is replaced', async () => {
    const t = makeTarget({ session: session() })
    await apply(t, copy, { dest: '/var/marked', content: 'y', attributes: '+i', setype: 'etc_t' })
    expect(await look(session(), 'cat /run/flags /run/context')).toMatch(/i.*:etc_t:/)
  })
  it('are refused where there are none', async () => {
    await look(session(), 'rm /run/flags; mv /var/marked /var/other')
    const t = makeTarget({ session: session() })
    await expect(apply(t, file, { path: '/var/other', attributes: '+i' })).rejects.toThrow(/chattr failed/)
    await expect(apply(t, file, { path: '/var/other', attributes: 'Q' })).rejects.toThrow(
      /no attributes of chattr/,
    )
  })
})

const hasDebconf = hasProgram('debconf-communicate')
if (!hasDebconf) console.log('skipped: debconf: this machine has no debconf-communicate')
describe.skipIf(!hasSandbox || !hasDebconf).each(Object.keys(shells))('debconf under %s', shell => {
  const { session } = useSandbox(shell, {
    programs: Object.fromEntries(
      ['debconf-communicate', 'debconf-set-selections', 'debconf-show'].map(name => [name, real(name)]),
    ),
  })
  it('lives', { timeout: 120_000 }, async () => {
    const one = {
      session: session(),
      module: debconf,
      world: 'debconf-show rota-test; echo GET rota-test/pw | debconf-communicate rota-test',
    }
    const answer = { name: 'rota-test', question: 'rota-test/port', value: '5432', vtype: 'string' }
    expect((await live({ ...one, args: answer, keep: true })).result).toMatchObject({
      current: { 'rota-test/port': '5432' },
    })
    await live({ ...one, args: { ...answer, value: '6432' } })
    await live({ ...one, args: { name: 'rota-test' }, changed: false })
    const secret = {
      ...answer,
      question: 'rota-test/pw',
      value: new Secret('hunter2', 'PW'),
      vtype: 'password',
    }
    const done = await live({ ...one, args: secret })
    expect(done.world).toContain('0 hunter2')
    expect(JSON.stringify(done.result)).not.toContain('hunter2')
    await expect(
      apply(makeTarget({ session: session() }), debconf, { ...answer, value: 'a\nb' }),
    ).rejects.toThrow(/line end/)
  })
})

describe.skipIf(!hasSandbox).each(Object.keys(shells))("a user's key under %s", shell => {
  const { session } = useSandbox(shell, {
    setUp: 'useradd -m keyed; useradd -m bare 2>/dev/null',
    programs: { 'ssh-keygen': real('ssh-keygen') },
  })
  it('lives', { timeout: 120_000 }, async () => {
    const one = {
      session: session(),
      module: user,
      world: 'ls -ln /home/keyed /home/keyed/.ssh 2>&1; id keyed',
    }
    const args = { name: 'keyed', generate_ssh_key: true, ssh_key_type: 'ed25519' }
    const made = await live({ ...one, args })
    expect(made.result).toMatchObject({ ssh_key_file: '/home/keyed/.ssh/id_ed25519' })
    expect(made.world).toMatch(/-rw------- .* id_ed25519\n-rw-r--r-- .* id_ed25519\.pub/)
  })

  it('has a passphrase', { timeout: 120_000 }, async () => {
    const one = { session: session(), module: user, world: 'ls /home/keyed/.ssh 2>&1' }
    const args = { name: 'keyed', generate_ssh_key: true, ssh_key_type: 'ed25519' }
    const ssh_key_passphrase = new Secret("it's a $(secret)", 'P')
    await live({ ...one, args: { ...args, ssh_key_passphrase }, keep: true })
    const open = 'ssh-keygen -y -f /home/keyed/.ssh/id_ed25519 -P'
    expect(await look(session(), `${open} "it's a \\$(secret)" 2>&1`)).toMatch(/^ssh-ed25519 /)
    expect(await look(session(), `${open} '' 2>&1`)).toMatch(/incorrect passphrase/)
  })
})
