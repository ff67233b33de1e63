// package, apt, dnf: the real programs with repositories made here. apk: a stand-in that prints what its manual shows.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { apk } from '../../src/modules/apk.ts'
import { apt } from '../../src/modules/apt.ts'
import { aptRepository } from '../../src/modules/apt-repository.ts'
import { dnf } from '../../src/modules/dnf.ts'
import { dpkgSelections } from '../../src/modules/dpkg-selections.ts'
import { packageModule } from '../../src/modules/package.ts'
import { packageFacts } from '../../src/modules/package-facts.ts'
import { makeTarget } from '../support/target.ts'
import { act, apply, shells } from './harness.ts'
import { live, look } from './lifecycle.ts'
import { hasProgram, hasSandbox, unpackedPackages, useSandbox } from './sandbox.ts'

/** A repository in a folder: rota-a 1 and 2, rota-b that needs rota-a. The list of installed packages is empty: a long one takes long. */
const repository = `
mount -t tmpfs rota /var/lib/dpkg; mount -t tmpfs rota /etc/apt/apt.conf.d
mount -t tmpfs rota /var/cache/apt; mkdir -p /var/cache/apt/archives/partial
mkdir /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/triggers; : >/var/lib/dpkg/status
mkdir -p /srv.rota 2>/dev/null; repo=/var/rota-repo; mkdir -p $repo; cd $repo
make() {
  mkdir -p "p/DEBIAN" "p/usr/share/rota-test"
  printf 'Package: %s\\nVersion: %s\\nArchitecture: all\\nMaintainer: x <x@example.org>\\nDescription: x\\n%s' "$1" "$2" "$3" >p/DEBIAN/control
  echo "$1 $2" >"p/usr/share/rota-test/$1"
  if [ -n "$postinst" ]; then printf '#!/bin/sh\\n%s\\n' "$postinst" >p/DEBIAN/postinst; chmod 755 p/DEBIAN/postinst; fi
  dpkg-deb -b p "$1_$2.deb" >/dev/null
  rm -r p
}
make rota-a 1.0 ''; make rota-a 2.0 ''; make rota-b 1.0 'Depends: rota-a
'
make build-essential 1.0 ''
postinst='/usr/sbin/policy-rc.d >/run/answer; echo $? >>/run/answer'
make rota-c 1.0 ''
for f in *.deb; do
  dpkg-deb -f "$f"
  printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' "$f" "$(stat -c %s "$f")" "$(sha256sum "$f" | cut -d' ' -f1)"
done >Packages
mkdir -p /etc/dpkg/dpkg.cfg.d; echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/fast
rm -rf /etc/apt/sources.list.d/* /srv.rota; echo "deb [trusted=yes] file:$repo ./" >/etc/apt/sources.list
rm -rf /var/lib/apt/lists/* /var/lib/apt/periodic/*
chmod -R a+rX $repo; cd /
`
const world = `dpkg-query -W -f '\${Package} \${Version} \${db:Status-Status}\\n' 'rota-*' 2>/dev/null | grep ' installed'; exit 0`
const hasApt = hasProgram('apt-get') && hasProgram('dpkg-deb')
if (!hasApt) console.log('skipped: apt-get is not installed')

describe.skipIf(!hasSandbox || !hasApt).each(Object.keys(shells))('apt under %s', shell => {
  const { session } = useSandbox(shell, { setUp: repository, isDebian: true })
  const base = () => ({ session: session(), world })

  it('fetches the lists when they are old', { timeout: 60_000 }, async () => {
    const t = makeTarget({ session: session() })
    await expect(apply(t, apt, { name: ['rota-a'] })).rejects.toThrow(
      /No package matching 'rota-a' is available/,
    )
    expect(
      (await apply(makeTarget({ session: session(), check: true }), apt, { update_cache: true })).changed,
    ).toBe(true)
    const fetched = await apply(t, apt, { update_cache: true })
    expect(fetched).toMatchObject({ changed: true, result: { cache_updated: true } })
    expect((await apply(t, apt, { cache_valid_time: 3600 })).changed).toBe(false)
  })

  it('installs, upgrades and removes', { timeout: 120_000 }, async () => {
    const old = await live({ ...base(), module: apt, args: { name: ['rota-a=1.0'] }, keep: true })
    expect(old.world).toBe('rota-a 1.0 installed\n')
    expect(old.result).toMatchObject({ msg: 'installed rota-a 1.0', packages: { 'rota-a': '1.0' } })
    await live({ ...base(), module: apt, args: { name: ['rota-a'] }, changed: false })
    await live({ ...base(), module: apt, args: { name: ['rota-a=1.*'] }, changed: false })
    const latest = await live({
      ...base(),
      module: apt,
      args: { name: ['rota-a'], state: 'latest' },
      keep: true,
    })
    expect(latest.world).toBe('rota-a 2.0 installed\n')
    const t = makeTarget({ session: session() })
    await expect(apply(t, apt, { name: ['rota-a=1.0'] })).rejects.toThrow(/newer than 1\.0/)
    await live({ ...base(), module: apt, args: { name: ['rota-a=1.0'], allow_downgrade: true } })
    const none = await live({
      ...base(),
      module: packageModule,
      args: { name: ['rota-a', 'rota-b'], state: 'absent' },
    })
    expect(none.world).toBe('')
    await live({
      ...base(),
      module: apt,
      args: { name: ['rota-b'], only_upgrade: true, state: 'latest' },
      changed: false,
    })
    const both = await apply(t, packageModule, { name: ['rota-b'], state: 'present' })
    expect(both.result['msg']).toBe('installed rota-b 1.0')
  })

  it('upgrades all, removes what nothing needs', { timeout: 120_000 }, async () => {
    const t = makeTarget({ session: session() })
    await look(session(), 'apt-get -y -q purge rota-a rota-b >/dev/null 2>&1')
    await apply(t, apt, { name: ['rota-a=1.0'] })
    expect(await apply(t, apt, { upgrade: 'yes' })).toMatchObject({
      changed: true,
      result: { msg: expect.stringContaining('upgraded') },
    })
    expect(await look(session(), world)).toBe('rota-a 2.0 installed\n')
    expect((await apply(t, apt, { upgrade: 'dist' })).changed).toBe(false)
    await look(session(), 'apt-mark auto rota-a >/dev/null')
    expect((await apply(t, apt, { autoremove: true })).changed).toBe(true)
    expect(await look(session(), world)).toBe('')
    await expect(
      apply(makeTarget({ session: session(), undoable: true }), apt, { upgrade: 'dist' }),
    ).rejects.toThrow(/cannot be undone/)
  })

  it('takes patterns of versions', { timeout: 60_000 }, async () => {
    const t = makeTarget({ session: session() })
    await apply(t, apt, { name: ['rota-a=1.0'] })
    for (const name of ['rota-a>=1.0', 'rota-a=1.*'])
      expect((await apply(t, apt, { name: [name] })).changed).toBe(false)
    expect((await apply(t, apt, { name: ['rota-a=1.*'], state: 'latest' })).changed).toBe(false)
    const newer = await live({ ...base(), module: apt, args: { name: ['rota-a>=1.5'] } })
    expect(newer.result).toMatchObject({ msg: 'rota-a 1.0 -> 2.0', packages: { 'rota-a': '2.0' } })
    await expect(apply(t, apt, { name: ['rota-a>=3'] })).rejects.toThrow(
      /no available installation candidate for rota-a>=3/,
    )
    expect((await apply(t, apt, { name: ['*'], state: 'latest' })).changed).toBe(true)
    expect(await look(session(), world)).toBe('rota-a 2.0 installed\n')
    await apply(t, apt, { name: ['rota-a'], state: 'absent' })
  })

  it('removes package files', { timeout: 60_000 }, async () => {
    const t = makeTarget({ session: session() })
    const files = async () => look(session(), 'ls /var/cache/apt/archives | grep deb; exit 0')
    await look(session(), 'cp /var/rota-repo/rota-a_1.0.deb /var/cache/apt/archives/old-q_2.4-1_all.deb')
    await expect(
      apply(makeTarget({ session: session(), undoable: true }), apt, { autoclean: true }),
    ).rejects.toThrow(/cannot be undone/)
    expect(
      (await apply(makeTarget({ session: session(), check: true }), apt, { autoclean: true })).changed,
    ).toBe(true)
    expect(await files()).toBe('old-q_2.4-1_all.deb\n')
    expect((await apply(t, apt, { autoclean: true })).result['msg']).toBe('removed 1 package files')
    expect(await files()).toBe('')
    expect((await apply(t, apt, { autoclean: true, clean: true })).changed).toBe(false)
  })

  it('installs a file', { timeout: 60_000 }, async () => {
    for (const folder of ['/var/rota-repo', 'file:///var/rota-repo']) {
      const done = await live({ ...base(), module: apt, args: { deb: `${folder}/rota-a_1.0.deb` } })
      expect(done.world).toBe('rota-a 1.0 installed\n')
    }
    await expect(apply(makeTarget({ session: session() }), apt, { deb: '/etc/hosts.deb' })).rejects.toThrow(
      /is no package file/,
    )
  })

  it('gives back what apt-get said, in check mode what it would say', { timeout: 60_000 }, async () => {
    const said = { stdout: expect.stringContaining('rota-b'), stderr: expect.any(String) }
    const diff = { prepared: expect.stringMatching(/^The following(?:.|\n)*1 newly installed/) }
    const t = (more: object) => makeTarget({ session: session(), ...more })
    await apply(t({}), apt, { name: ['rota-a=2.0'] })
    for (const check of [true, false]) {
      const { result } = await apply(t({ check, diff: true }), apt, { name: ['rota-b'], policy_rc_d: 101 })
      expect(result).toMatchObject({ ...said, diff })
    }
    const again = await apply(t({ diff: true }), apt, { name: ['rota-b'] })
    expect([again.changed, again.result['stdout']]).toEqual([false, undefined])
    const { result } = await apply(t({}), apt, { update_cache: true })
    expect(result['cache_update_time']).toBeGreaterThan(1_700_000_000)
    await apply(t({}), apt, { name: ['rota-a', 'rota-b'], state: 'absent' })
  })

  it('answers for policy-rc.d meanwhile', { timeout: 60_000 }, async () => {
    const t = makeTarget({ session: session() })
    await look(session(), 'rm -f /usr/sbin/policy-rc.d')
    const policy = 'cat /run/answer; cat /usr/sbin/policy-rc.d; exit 0'
    await apply(t, apt, { deb: '/var/rota-repo/rota-c_1.0.deb', policy_rc_d: 101 })
    expect(await look(session(), policy)).toBe('101\n')
    await look(
      session(),
      'apt-get -y -q purge rota-c; echo echo own >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d',
    )
    await apply(t, apt, { deb: '/var/rota-repo/rota-c_1.0.deb', policy_rc_d: 0 })
    expect(await look(session(), policy)).toBe('0\necho own\n')
    // No room for another one: the host's own stays.
    await look(session(), 'apt-get -y -q purge rota-c; mkdir /usr/sbin/policy-rc.d.rota-new')
    const failed = apply(t, apt, { deb: '/var/rota-repo/rota-c_1.0.deb', policy_rc_d: 0 })
    await expect(failed).rejects.toThrow('cannot write /usr/sbin/policy-rc.d.rota-new')
    expect(await look(session(), 'cat /usr/sbin/policy-rc.d')).toBe('echo own\n')
    // Killed on the way, by a shell that is no more.
    await look(
      session(),
      `rmdir /usr/sbin/policy-rc.d.rota-new; mv /usr/sbin/policy-rc.d /usr/sbin/policy-rc.d.rota-kept
       sh -c 'echo "# rota $$"' >/usr/sbin/policy-rc.d`,
    )
    await apply(t, apt, { deb: '/var/rota-repo/rota-c_1.0.deb' })
    expect(await look(session(), 'cat /usr/sbin/policy-rc.d*')).toBe('echo own\n')
    await look(session(), 'apt-get -y -q purge rota-c; rm /usr/sbin/policy-rc.d')
  })

  it('puts broken dependencies right, and brings what a build needs', { timeout: 60_000 }, async () => {
    const t = makeTarget({ session: session() })
    await look(session(), 'dpkg -i --force-depends /var/rota-repo/rota-b_1.0.deb 2>&1')
    await apply(t, apt, { name: ['rota-a'], state: 'fixed', update_cache: true })
    expect(await look(session(), world)).toBe('rota-a 2.0 installed\nrota-b 1.0 installed\n')
    await look(
      session(),
      `apt-get -y -q purge rota-a rota-b; mkdir -p /tmp/rota-src/debian; cd /tmp/rota-src
      printf 'Source: x\nBuild-Depends: rota-a\n\nPackage: x\nArchitecture: all\n' >debian/control`,
    )
    const none = { name: ['no-such-source'], state: 'build-dep' }
    await expect(apply(t, apt, none)).rejects.toThrow(/cannot build-dep/)
    const needs = { name: ['/tmp/rota-src'], state: 'build-dep' }
    await expect(apply(makeTarget({ session: session(), undoable: true }), apt, needs)).rejects.toThrow(
      /cannot be undone/,
    )
    expect((await apply(makeTarget({ session: session(), check: true }), apt, needs)).changed).toBe(true)
    expect((await apply(t, apt, needs)).changed).toBe(true)
    expect(await look(session(), world)).toBe('rota-a 2.0 installed\n')
    expect((await apply(t, apt, needs)).changed).toBe(false)
    await look(session(), 'apt-get -y -q purge rota-a build-essential; rm -r /tmp/rota-src')
  })

  it('keeps a source, and takes one back that cannot be read', { timeout: 60_000 }, async () => {
    const files = 'cd /etc/apt; grep -r . sources.list sources.list.d; exit 0'
    const one = { session: session(), module: aptRepository, world: files }
    const repo = 'deb  [trusted=yes] file:/var/rota-repo   ./ '
    await live({ ...one, args: { repo }, changed: false })
    const gone = await live({ ...one, args: { repo, state: 'absent' } })
    expect(gone.world).toBe('')
    const other = 'deb https://user@example.org/a-b/ubuntu stable main'
    const added = await live({ ...one, args: { repo: other, update_cache: false } })
    expect(added.world).toContain('sources.list.d/example_org_a_b_ubuntu.list:deb https://user@example.org')
    expect(added.result).toMatchObject({
      sources_added: ['/etc/apt/sources.list.d/example_org_a_b_ubuntu.list'],
    })
    const before = await look(session(), files)
    const bad = { repo: 'deb file:/no/such ./', filename: 'bad' }
    await expect(apply(makeTarget({ session: session() }), aptRepository, bad)).rejects.toThrow(
      /Failed to update/,
    )
    expect(await look(session(), files)).toBe(before)
    await expect(
      apply(makeTarget({ session: session() }), aptRepository, { repo: 'ppa:a/b' }),
    ).rejects.toThrow(/ppa/)
    await expect(apply(makeTarget({ session: session() }), aptRepository, { repo: 'x' })).rejects.toThrow(
      /Invalid repository/,
    )
  })

  it('refuses what is no name', async () => {
    const t = makeTarget({ session: session() })
    for (const name of ['rota-*', './x.deb', 'https://example.org/x.deb', '-o', 'a b'])
      await expect(apply(t, packageModule, { name: [name], state: 'present' })).rejects.toThrow(
        /is no name of a package/,
      )
  })

  it('holds a package', { timeout: 60_000 }, async () => {
    await apply(makeTarget({ session: session() }), apt, { name: ['rota-a=1.0'] })
    const base = {
      session: session(),
      module: dpkgSelections,
      world: "/usr/bin/dpkg --get-selections 'rota-*'",
    }
    const held = await live({ ...base, args: { name: 'rota-a', selection: 'hold' }, keep: true })
    expect([held.world, held.result]).toEqual([
      'rota-a\t\t\t\t\t\thold\n',
      { before: 'install', after: 'hold' },
    ])
    expect((await apply(makeTarget({ session: session() }), apt, { upgrade: 'yes' })).changed).toBe(false)
    await expect(live({ ...base, args: { name: 'rota-b', selection: 'hold' } })).rejects.toThrow(
      /Failed to find package 'rota-b'/,
    )
    await look(session(), 'apt-get -y -q --allow-change-held-packages purge rota-a')
  })

  it('facts', { timeout: 60_000 }, async () => {
    await apply(makeTarget({ session: session() }), apt, { name: ['rota-a=2.0'] })
    const { facts } = await act(makeTarget({ session: session() }), packageFacts, {})
    const packages = facts!.get('packages') as Map<string, readonly Map<string, string>[]>
    expect(packages.get('rota-a')).toEqual([
      new Map([
        ['name', 'rota-a'],
        ['version', '2.0'],
        ['arch', 'all'],
        ['source', 'apt'],
      ]),
    ])
  })
})

const apkProgram = `#!/bin/sh
dir=/run/apk; mkdir -p $dir
simulate=; upgrade=
verb=
names=
for one; do
  case $one in
    --simulate) simulate=1 ;;
    --upgrade) upgrade=1 ;;
    --installed) ;;
    --*) ;;
    *) if [ -z "$verb" ]; then verb=$one; else names="$names $one"; fi ;;
  esac
done
known() { case $1 in bash) echo 5.2.15-r5 ;; curl-dev) echo 8.1-r0 ;; *) return 1 ;; esac; }
case $verb in
  update) touch /run/apk-updated ;;
  list) for n in $names; do [ -f "$dir/$n" ] && echo "$n-$(cat "$dir/$n") x86_64 {$n} (GPL-3.0-or-later) [installed]"; done ;;
  add)
    for n in $names; do
      name=\${n%%=*}; want=\${n#*=}
      new=$(known "$name") || { echo "ERROR: unable to select packages" >&2; exit 1; }
      [ "$want" = "$n" ] || new=$want
      if [ -f "$dir/$name" ]; then
        old=$(cat "$dir/$name")
        if [ "$old" != "$new" ] && [ -n "$upgrade" ]; then
          echo "(1/1) Upgrading $name ($old -> $new)"; [ -n "$simulate" ] || echo "$new" >"$dir/$name"
        fi
      else
        echo "(1/2) Installing libx ($new)"
        echo "(2/2) Installing $name ($new)"; [ -n "$simulate" ] || echo "$new" >"$dir/$name"
      fi
    done
    echo "OK: 8 MiB in 16 packages" ;;
  del) for n in $names; do rm -f "$dir/$n"; done ;;
  info) for n in "$dir"/*; do echo "\${n##*/}-$(cat "$n")"; done ;;
esac
`
const apkWorld = 'cd /run/apk 2>/dev/null && grep . * 2>/dev/null; exit 0'

describe.skipIf(!hasSandbox).each(Object.keys(shells))('apk under %s', shell => {
  const { session } = useSandbox(shell, {
    programs: { apk: apkProgram },
    setUp: 'rm -rf /run/apk; mkdir -p /run/apk',
  })
  it('lives', async () => {
    const one = { session: session(), world: apkWorld }
    const made = await live({ ...one, module: apk, args: { name: ['bash', 'curl-dev'], update_cache: true } })
    expect(made.world).toBe('bash:5.2.15-r5\ncurl-dev:8.1-r0\n')
    await look(session(), 'echo 5.1-r0 >/run/apk/bash')
    await live({ ...one, module: packageModule, args: { name: ['bash'], state: 'present' }, changed: false })
    const latest = await live({ ...one, module: apk, args: { name: ['bash'], state: 'latest' } })
    expect(latest.result['msg']).toBe('bash 5.1-r0 -> 5.2.15-r5')
    expect((await live({ ...one, module: apk, args: { name: ['bash'], state: 'absent' } })).world).toBe('')
    await expect(apply(makeTarget({ session: session() }), apk, { name: ['none'] })).rejects.toThrow(
      /No package matching 'none'/,
    )
  })
})

const rpms = mkdtempSync(join(tmpdir(), 'rota-rpms-'))
afterAll(() => rmSync(rpms, { recursive: true }))

/** Packages like those for apt, and one whose name does not fit a column. */
const rpmRepository = `
mkdir -p /etc/yum.repos.d
printf '[rota]\\nname=rota\\nbaseurl=file://${rpms}\\nenabled=1\\ngpgcheck=0\\n' >/etc/yum.repos.d/rota.repo
make() {
  printf 'Name: %s\\nVersion: %s\\nRelease: 1\\nSummary: x\\nLicense: MIT\\nBuildArch: noarch\\n%s\\n%%description\\nx\\n' "$1" "$2" "$3" >x.spec
  printf '%%install\\nmkdir -p %%{buildroot}/usr/share\\necho x >%%{buildroot}/usr/share/%s\\n%%files\\n/usr/share/%s\\n' "$1" "$1" >>x.spec
  rpmbuild -bb --quiet --define '_topdir /var/rpmbuild' --define '_rpmdir ${rpms}' x.spec >/dev/null 2>&1
}
if ! [ -d ${rpms}/repodata ]; then
cd ${rpms}
make rota-a 1.0 'Epoch: 1'; make rota-a 2.0 'Epoch: 1'
make rota-b 1.0 'Requires: rota-a
Provides: rota-virtual'
make rota-with-a-name-that-is-very-long-indeed-for-a-column 1.0.0.20240101.git0123456789abcdef ''
printf '<comps><group><id>rota-set</id><name>Rota set</name><uservisible>true</uservisible><packagelist><packagereq type="mandatory">rota-b</packagereq></packagelist></group></comps>' >comps.xml
createrepo_c -q -g comps.xml .
cd /
fi
`
const rpmWorld = 'rpmquery -a | sort'
const dnfFolder = unpackedPackages('dnf')

describe.skipIf(!hasSandbox || dnfFolder === undefined).each(Object.keys(shells))('dnf under %s', shell => {
  const { session } = useSandbox(shell, {
    setUp: rpmRepository,
    unpacked: dnfFolder!,
    isDebian: true,
  })

  it('lives', { timeout: 120_000 }, async () => {
    const old = await live({
      session: session(),
      world: rpmWorld,
      module: dnf,
      args: { name: ['rota-a-1.0'] },
    })
    expect(old.world).toBe('rota-a-1.0-1.noarch\n')
    expect(old.result).toMatchObject({ packages: { 'rota-a': '1:1.0-1' } })
  })
})

describe.skipIf(!hasSandbox || dnfFolder === undefined)('dnf', () => {
  const { session } = useSandbox('dash', { setUp: rpmRepository, unpacked: dnfFolder! })
  const installed = () => look(session(), 'rpm -qa --qf "%{NAME} " | tr " " "\\n" | sort | tr "\\n" " "')

  it('upgrades and goes back', { timeout: 120_000 }, async () => {
    const one = { session: session(), world: rpmWorld, module: dnf }
    const t = makeTarget({ session: session() })
    await apply(t, dnf, { name: ['rota-a-1.0'] })
    expect((await apply(t, dnf, { name: ['rota-a', 'rota-a-1.0'] })).changed).toBe(false)
    const latest = await live({ ...one, args: { name: ['rota-a'], state: 'latest' }, keep: true })
    expect(latest.world).toBe('rota-a-2.0-1.noarch\n')
    expect((await apply(t, dnf, { name: ['rota-a-1.0'] })).changed).toBe(false)
    await apply(t, dnf, { name: ['rota-a-1.0'], allow_downgrade: true })
    const { facts } = await act(t, packageFacts, { manager: ['rpm'] })
    const told = { name: 'rota-a', version: '1.0', release: '1', arch: 'noarch', epoch: 1, source: 'rpm' }
    expect([...(facts!.get('packages') as Map<string, unknown>)]).toEqual([
      ['rota-a', [new Map(Object.entries(told))]],
    ])
    await live({ ...one, module: packageModule, args: { name: ['rota-a'], use: 'dnf', state: 'absent' } })
    await apply(t, dnf, { name: ['rota-a'], state: 'absent' })
  })

  it('takes names as dnf does', { timeout: 60_000 }, async () => {
    const t = makeTarget({ session: session() })
    const long = 'rota-with-a-name-that-is-very-long-indeed-for-a-column'
    const done = await apply(t, dnf, { name: ['rota-virtual', long] })
    expect(done.result['packages']).toEqual({
      'rota-b': '1.0-1',
      [long]: expect.stringContaining('1.0.0.2024'),
    })
    expect((await apply(t, dnf, { name: ['rota-virtual', 'rota-b.noarch'] })).changed).toBe(false)
    expect(await installed()).toBe(`rota-a rota-b ${long} `)
    await apply(t, dnf, { name: ['rota-virtual', long], state: 'absent' })
    expect(await installed()).toBe('rota-a ')
    expect((await apply(t, dnf, { autoremove: true })).changed).toBe(true)
    expect(await installed()).toBe('')
    expect((await apply(t, dnf, { name: ['rota-a'], state: 'latest', update_only: true })).changed).toBe(
      false,
    )
    await expect(apply(t, dnf, { name: ['no-such'] })).rejects.toThrow(/No package matching 'no-such'/)
  })

  it('takes groups and files', { timeout: 120_000 }, async () => {
    const t = makeTarget({ session: session() })
    const file = `file://${rpms}/noarch/rota-a-1.0-1.noarch.rpm`
    const both = await apply(t, dnf, { name: ['@Rota set', file] })
    expect(await look(session(), rpmWorld)).toBe('rota-a-1.0-1.noarch\nrota-b-1.0-1.noarch\n')
    expect(both.result).toMatchObject({
      packages: { '@Rota set': 'installed', 'rota-a': '1:1.0-1' },
      results: ['Installed: @Rota set-installed', 'Installed: rota-a-1:1.0-1'],
    })
    expect((await apply(t, dnf, { name: ['@rota-set', file.slice('file://'.length)] })).changed).toBe(false)
    const undoable = makeTarget({ session: session(), undoable: true })
    await expect(apply(undoable, dnf, { name: ['@rota-set'] })).rejects.toThrow(/cannot be undone/)
    await apply(t, dnf, { name: ['@rota-set', 'rota-a', 'rota-b'], state: 'absent' })
    expect(await look(session(), rpmWorld)).toBe('')
  })

  it('has another root', { timeout: 60_000 }, async () => {
    const t = makeTarget({ session: session() })
    await apply(t, dnf, { name: ['rota-a'], installroot: '/var/other', releasever: '9' })
    expect(await look(session(), `${rpmWorld}; rpmquery --root /var/other -a`)).toBe('rota-a-2.0-1.noarch\n')
  })

  it('upgrades all', { timeout: 60_000 }, async () => {
    const t = makeTarget({ session: session() })
    await apply(t, dnf, { name: ['rota-a-1.0'] })
    const all = { name: ['*'], state: 'latest' }
    await expect(apply(makeTarget({ session: session(), undoable: true }), dnf, all)).rejects.toThrow(
      /cannot be undone/,
    )
    expect((await apply(makeTarget({ session: session(), check: true }), dnf, all)).changed).toBe(true)
    expect((await apply(t, dnf, all)).changed).toBe(true)
    expect(await look(session(), 'rpm -q rota-a')).toBe('rota-a-2.0-1.noarch\n')
    expect((await apply(t, dnf, all)).changed).toBe(false)
    await expect(apply(t, dnf, { name: ['*'] })).rejects.toThrow(/is no name of a package/)
  })
})
