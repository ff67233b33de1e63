// user, group and getent on private copies of the account files: by the shadow tools, and without them as on Alpine.
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { getent } from '../../src/modules/getent.ts'
import { group } from '../../src/modules/group.ts'
import { user } from '../../src/modules/user.ts'
import { makeTarget } from '../support/target.ts'
import { act, apply, shells } from './harness.ts'
import { live, look } from './lifecycle.ts'
import { hasSandbox, useSandbox } from './sandbox.ts'

const hash =
  '$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/'
const world = `cat /etc/passwd; cut -d: -f1,2,4- /etc/shadow; cat /etc/group; ls -ldn /home/ann /srv/ann 2>/dev/null | cut -c1-30; exit 0`
const setUp = 'rm -rf /home/ann /srv/ann; mkdir -p /etc/skel; printf x >/etc/skel/.rota-skel'
/** Alpine has none of these. */
const withoutTools =
  'rm -f /usr/sbin/user* /usr/sbin/group* /usr/sbin/chpasswd /usr/bin/chage /usr/bin/gpasswd /usr/bin/getent'

describe.skipIf(!hasSandbox).each(Object.keys(shells))('accounts under %s', shell => {
  const { session } = useSandbox(shell, { setUp: shell === 'busybox' ? `${setUp}; ${withoutTools}` : setUp })

  it('makes and removes a group', async () => {
    const made = await live({
      session: session(),
      module: group,
      args: { name: 'crew', gid: 4711 },
      world,
      keep: true,
    })
    expect(made.world).toContain('crew:x:4711:\n')
    expect(made.result).toEqual({ name: 'crew', state: 'present', gid: 4711, system: false })
    const moved = await live({ session: session(), module: group, args: { name: 'crew', gid: 4712 }, world })
    expect(moved.world).toContain('crew:x:4712:\n')
    await live({ session: session(), module: group, args: { name: 'crew' }, world, changed: false })
    const gone = await live({
      session: session(),
      module: group,
      args: { name: 'crew', state: 'absent' },
      world,
    })
    expect(gone.world).not.toContain('crew')
    await live({
      session: session(),
      module: group,
      args: { name: 'nobody-here', state: 'absent' },
      world,
      changed: false,
    })
  })

  it('refuses a number or a name that cannot be', async () => {
    const t = makeTarget({ session: session() })
    await expect(apply(t, group, { name: 'other', gid: 0 })).rejects.toThrow(/GID '0' already exists/)
    await expect(apply(t, user, { name: 'other', uid: 0 })).rejects.toThrow(/UID 0 already exists/)
    await expect(apply(t, user, { name: 'a:b' })).rejects.toThrow(/no name that a user can have/)
    await expect(apply(t, user, { name: 'other', groups: ['no-such'] })).rejects.toThrow(
      /Group no-such does not exist/,
    )
  })

  it('makes, changes and removes a user', async () => {
    const before = await look(session(), world)
    const made = await live({
      session: session(),
      module: user,
      args: {
        name: 'ann',
        comment: 'Ann A.',
        groups: ['adm', 'mail'],
        password: new Secret(hash, 'password'),
      },
      world,
      keep: true,
    })
    expect(made.world).toMatch(/^ann:x:\d+:\d+:Ann A\.:\/home\/ann:\/bin\/sh$/m)
    expect(made.world).toContain(`ann:${hash}:0:99999`)
    expect(made.world).toMatch(/^adm:x:\d+:.*\bann$/m)
    expect(await look(session(), 'cat /home/ann/.rota-skel')).toBe('x')
    expect(made.result).toMatchObject({
      name: 'ann',
      state: 'present',
      home: '/home/ann',
      groups: 'adm,mail',
    })

    const changed = await live({
      session: session(),
      module: user,
      args: {
        name: 'ann',
        shell: '/bin/false',
        groups: ['games'],
        append: true,
        password_lock: true,
        expires: 1893456000,
      },
      world,
    })
    expect(changed.world).toMatch(/^ann:.*:\/bin\/false$/m)
    expect(changed.world).toContain(`ann:!${hash}:0:99999`)
    expect(changed.world).toMatch(/^ann:!.*:21915:$/m)
    expect(changed.world).toMatch(/^games:.*\bann$/m)
    expect(changed.world).toMatch(/^adm:.*\bann$/m)

    const alone = await live({ session: session(), module: user, args: { name: 'ann', groups: [] }, world })
    expect(alone.world).not.toMatch(/^(adm|mail):.*\bann$/m)
    const homed = await live({
      session: session(),
      module: user,
      args: { name: 'ann', home: '/srv/ann', move_home: true },
      world,
    })
    expect(homed.world).toMatch(/^ann:.*:\/srv\/ann:/m)
    expect(homed.world).toMatch(/^drwx.* \d+ +\d+/m)

    await live({ session: session(), module: user, args: { name: 'ann', state: 'absent' }, world })
    await apply(makeTarget({ session: session() }), user, { name: 'ann', state: 'absent', remove: true })
    expect(await look(session(), world)).toBe(before)
  })

  it('keeps a home folder that it did not make', async () => {
    await look(session(), 'mkdir -p /srv/ann; printf y >/srv/ann/mine')
    await live({
      session: session(),
      module: user,
      args: { name: 'ann', home: '/srv/ann', system: true },
      world,
    })
    expect(await look(session(), 'cat /srv/ann/mine; rm -r /srv/ann')).toBe('y')
  })

  it('getent', async () => {
    const t = makeTarget({ session: session() })
    const one = await act(t, getent, { database: 'passwd', key: 'root' })
    expect(one.facts?.get('getent_passwd')).toEqual(
      new Map([['root', ['x', '0', '0', 'root', '/root', '/bin/bash']]]),
    )
    const all = await act(t, getent, { database: 'group' })
    expect((all.facts!.get('getent_group') as Map<string, unknown>).has('daemon')).toBe(true)
    expect(await act(t, getent, { database: 'passwd', key: 'nobody-here' })).toMatchObject({
      failed: true,
      msg: 'One or more supplied key could not be found in the database.',
    })
    const none = await act(t, getent, { database: 'passwd', key: 'nobody-here', fail_key: false })
    expect(none.facts?.get('getent_passwd')).toEqual(new Map([['nobody-here', null]]))
  })
})
