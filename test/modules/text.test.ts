// lineinfile, blockinfile, replace: as tables in three shells.

import { Secret } from '../../src/core/secret.ts'
import { blockinfile } from '../../src/modules/blockinfile.ts'
import { lineinfile } from '../../src/modules/lineinfile.ts'
import { replace } from '../../src/modules/replace.ts'
import { describeCases } from './harness.ts'

describeCases(lineinfile, [
  {
    name: 'adds at the end',
    files: { a: 'x\n' },
    args: { path: 'DIR/a', line: 'y' },
    expect: { a: 'x\ny\n' },
    result: { msg: 'line added', backup: '' },
  },
  {
    name: 'ends an open last line first',
    files: { a: 'x' },
    args: { path: 'DIR/a', line: 'y' },
    expect: { a: 'x\ny\n' },
  },
  {
    name: 'leaves a line that is there',
    files: { a: 'y\nx\n' },
    args: { path: 'DIR/a', line: 'y' },
    changed: false,
    result: { msg: '' },
  },
  {
    name: 'replaces the last match',
    files: { a: 'p=1\np=2\n' },
    args: { path: 'DIR/a', regexp: '^p=', line: 'p=3' },
    expect: { a: 'p=1\np=3\n' },
    result: { msg: 'line replaced' },
  },
  {
    name: 'fills in groups',
    files: { a: 'port = 80 # web\n' },
    args: { path: 'DIR/a', regexp: '^(?P<k>port) = \\d+(.*)$', line: '\\g<k> = 81\\2', backrefs: true },
    expect: { a: 'port = 81 # web\n' },
    repeats: true,
  },
  {
    name: 'removes every match',
    files: { a: 'a1\nb\na2\n' },
    args: { path: 'DIR/a', regexp: '^a', state: 'absent' },
    expect: { a: 'b\n' },
    result: { msg: '2 line(s) removed' },
  },
  {
    name: 'keeps mode and name of a link’s file',
    files: { real: { text: 'x\n', mode: 0o600 }, a: { link: 'real' } },
    args: { path: 'DIR/a', line: 'y' },
    expect: { real: 'x\ny\n', a: '-> real', 'mode:real': '0600' },
  },
  {
    name: 'makes the file and folders',
    args: { path: 'DIR/n/m/a', line: 'y', create: true, mode: '0600' },
    expect: { 'n/m/a': 'y\n', 'mode:n/m/a': '0600', 'mode:n/m': '0755' },
  },
  { name: 'fails where there is no file', args: { path: 'DIR/a', line: 'y' }, fails: /does not exist/ },
  {
    name: 'asks the validator',
    files: { a: 'x\n' },
    args: { path: 'DIR/a', line: 'y', validate: 'grep -q "no such" %s' },
    fails: /failed to validate/,
  },
  {
    name: 'makes a backup',
    files: { a: 'x\n' },
    args: { path: 'DIR/a', line: 'y', backup: true },
    leaves: /^a\.\d+\.\d{4}-.*~$/,
  },
  {
    name: 'sets mode and owner',
    needsRoot: true,
    files: { a: 'x\n' },
    args: { path: 'DIR/a', line: 'x', mode: '0600', owner: 'nobody' },
    expect: { 'mode:a': '0600' },
  },
  {
    name: 'puts a secret into the file',
    files: { a: 'x\n' },
    args: { path: 'DIR/a', line: new Secret('password=hunter2', 'line') },
    expect: { a: 'x\npassword=hunter2\n' },
  },
  {
    name: 'works on odd names',
    files: { '-o \'dd $(x)\n"': 'x\n' },
    args: { path: 'DIR/-o \'dd $(x)\n"', line: 'y' },
    expect: { '-o \'dd $(x)\n"': 'x\ny\n' },
  },
])

describeCases(blockinfile, [
  {
    name: 'appends a block',
    files: { a: 'x' },
    args: { path: 'DIR/a', block: 'l1\nl2\n' },
    expect: { a: 'x\n# BEGIN ANSIBLE MANAGED BLOCK\nl1\nl2\n# END ANSIBLE MANAGED BLOCK\n' },
  },
  {
    name: 'replaces a block',
    files: { a: 'x\n# BEGIN ANSIBLE MANAGED BLOCK\nold\n# END ANSIBLE MANAGED BLOCK\ny' },
    args: { path: 'DIR/a', block: 'new' },
    expect: { a: 'x\n# BEGIN ANSIBLE MANAGED BLOCK\nnew\n# END ANSIBLE MANAGED BLOCK\ny' },
  },
  {
    name: 'removes a block',
    files: { a: 'x\n# BEGIN ANSIBLE MANAGED BLOCK\nold\n# END ANSIBLE MANAGED BLOCK\n' },
    args: { path: 'DIR/a', state: 'absent' },
    expect: { a: 'x\n' },
  },
])

describeCases(blockinfile, [
  {
    name: 'finds a place over several lines',
    files: { a: 'k =\n (x\n)\nk =\n' },
    args: { path: 'DIR/a', block: 'b', marker: '#{mark}', insertafter: '(?m)^k =\n.*\\(x' },
    expect: { a: 'k =\n (x\n#BEGIN\nb\n#END\n)\nk =\n' },
  },
  {
    name: 'makes a file',
    args: { path: 'DIR/a', block: 'b', create: true, marker: '#{mark}' },
    expect: { a: '#BEGIN\nb\n#END\n' },
    result: { msg: 'File created' },
  },
])

describeCases(replace, [
  {
    name: 'replaces everywhere',
    files: { a: 'a.b\na.c\n' },
    args: { path: 'DIR/a', regexp: '^a\\.', replace: 'z-' },
    expect: { a: 'z-b\nz-c\n' },
    result: { msg: '2 replacements made' },
  },
  {
    name: 'stays between after and before',
    files: { a: 'k\n[s]\nk\n[e]\nk\n' },
    args: { path: 'DIR/a', regexp: '^k$', replace: 'v', after: '\\[s\\]', before: '\\[e\\]' },
    expect: { a: 'k\n[s]\nv\n[e]\nk\n' },
  },
  { name: 'fails without a file', args: { path: 'DIR/a', regexp: 'x' }, fails: /does not exist/ },
])
