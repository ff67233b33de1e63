// Small playbooks that rota and ansible-playbook must agree on: which task ran on which host with what status and result, and
// the recap. Hosts h1, h2 and h3 are all this machine. Further files of a case follow `--- NAME` lines.

export const plays: Readonly<Record<string, string>> = {
  'when and register': `
- hosts: all
  gather_facts: false
  tasks:
    - command: echo {{ inventory_hostname }}
      register: r
    - debug: {msg: "{{ r.stdout }} {{ r.rc }} {{ r is changed }}"}
      when: r.stdout == 'h2'
    - debug: var=r.stdout_lines
    - command: /bin/false
      when: false
      register: s
    - debug: {msg: "{{ s.skipped }} {{ s is skipped }} {{ s.changed }}"}
`,
  'rescue and always': `
- hosts: all
  gather_facts: false
  tasks:
    - name: outer
      block:
        - name: first
          command: test {{ inventory_hostname }} != h2
        - name: second
          debug: {msg: second}
      rescue:
        - name: rescued
          debug: {msg: "{{ ansible_failed_task.name }} {{ ansible_failed_result.rc }}"}
      always:
        - name: always
          debug: {msg: always}
    - name: after
      debug: {msg: after}
`,
  'a rescue that fails': `
- hosts: all
  gather_facts: false
  tasks:
    - block:
        - command: test {{ inventory_hostname }} != h2
      rescue:
        - name: rescue fails
          fail: {msg: again}
      always:
        - name: always
          debug: {msg: always}
    - name: after
      debug: {msg: after}
`,
  'nested blocks': `
- hosts: h1
  gather_facts: false
  tasks:
    - block:
        - block:
            - name: inner
              fail: {msg: x}
          always:
            - name: inner always
              debug: {msg: a}
        - name: never
          debug: {msg: n}
      rescue:
        - name: outer rescue
          debug: {msg: r}
        - block:
            - name: fails too
              fail: {msg: y}
          rescue:
            - name: rescued too
              debug: {msg: z}
`,
  ignore_errors: `
- hosts: h1
  gather_facts: false
  tasks:
    - shell: exit 3
      ignore_errors: true
      register: r
    - debug: {msg: "{{ r.rc }} {{ r is failed }} {{ r.msg }}"}
    - fail: {msg: told}
      ignore_errors: "{{ true }}"
    - command: /bin/true
      failed_when: true
      ignore_errors: true
`,
  'changed_when and failed_when': `
- hosts: h1
  gather_facts: false
  tasks:
    - command: echo x
      changed_when: false
      register: r
    - command: echo x
      changed_when: r.stdout == 'x'
    - shell: exit 4
      register: s
      failed_when: s.rc not in [0, 4]
    - debug: {msg: "{{ s.failed }} {{ s.failed_when_result }} {{ s.rc }}"}
    - command: echo y
      register: t
      failed_when:
        - t.rc == 0
        - "'z' in t.stdout"
`,
  loops: `
- hosts: h1
  gather_facts: false
  tasks:
    - command: echo {{ item }}
      loop: [a, b]
      register: r
    - debug: {msg: "{{ r.results | length }} {{ r.results[1].stdout }} {{ r.results[0].item }} {{ r.msg }} {{ r.changed }}"}
    - debug: {msg: "{{ item }}"}
      loop: [1, 2, 3]
      when: item > 1
      register: s
    - debug: {msg: "{{ s.results | map(attribute='skipped', default=false) | list }}"}
    - debug: {msg: "{{ item }}"}
      loop: []
    - debug: {msg: "{{ item }}"}
      loop: [1, 2]
      when: item > 5
    - shell: test {{ item }} = 1
      loop: [1, 2, 3]
      ignore_errors: true
      register: t
    - debug: {msg: "{{ t.failed }} {{ t.msg }} {{ t.results | map(attribute='rc') | list }}"}
`,
  loop_control: `
- hosts: h1
  gather_facts: false
  tasks:
    - debug: {msg: "{{ i }}={{ it }} {{ ansible_loop.index }}/{{ ansible_loop.length }} {{ ansible_loop.last }}"}
      loop: [x, y]
      loop_control: {loop_var: it, index_var: i, extended: true, label: "L{{ it }}"}
      register: r
    - debug: {msg: "{{ r.results[1].it }} {{ r.results[1].ansible_loop_var }} {{ r.results[1].i }}"}
`,
  'with lookups': `
- hosts: h1
  gather_facts: false
  vars: {d: {one: 1, two: 2}}
  tasks:
    - debug: {msg: "{{ item }}"}
      with_items: [[1, 2], 3, [[4]]]
    - debug: {msg: "{{ item.key }}={{ item.value }}"}
      with_dict: "{{ d }}"
    - debug: {msg: "{{ item }}"}
      with_list: [[1, 2], 3]
    - debug: {msg: "{{ item.0 }}{{ item.1 }}"}
      with_together: [[a, b], [1, 2]]
    - debug: {msg: "{{ item }}"}
      with_sequence: start=1 end=3
    - debug: {msg: "{{ item.0 }}{{ item.1 }}"}
      with_indexed_items: [a, b]
    - debug: {msg: "{{ item.0 }}{{ item.1 }}"}
      with_nested: [[a, b], [1, 2]]
`,
  until: `
- hosts: h1
  gather_facts: false
  vars: {f: "{{ playbook_dir }}/count"}
  tasks:
    - shell: echo x >> {{ f }}; wc -l < {{ f }}
      register: r
      until: r.stdout | int >= 3
      retries: 5
      delay: 0
    - debug: {msg: "{{ r.attempts }} {{ r.stdout | trim }}"}
    - shell: "false"
      register: s
      until: s.rc == 0
      retries: 2
      delay: 0
      ignore_errors: true
    - debug: {msg: "{{ s.attempts }} {{ s.failed }}"}
`,
  handlers: `
- hosts: all
  gather_facts: false
  handlers:
    - name: one
      debug: {msg: one}
    - name: two
      command: echo two
      listen: topic
    - name: three
      debug: {msg: three}
      listen: [topic, other]
  tasks:
    - command: echo a
      notify: topic
      when: inventory_hostname != 'h3'
    - debug: {msg: unchanged}
      notify: one
    - command: echo b
      notify: [one, three]
      when: inventory_hostname == 'h2'
    - meta: flush_handlers
    - debug: {msg: after}
    - command: echo c
      notify: one
`,
  'a handler notifies': `
- hosts: h1
  gather_facts: false
  handlers:
    - name: late first
      debug: {msg: late}
    - name: middle
      command: echo m
      notify: [last, late first]
    - name: last
      debug: {msg: last}
  tasks:
    - command: echo a
      notify: middle
`,
  'handlers of failed hosts': `
- hosts: all
  gather_facts: false
  handlers:
    - name: h
      debug: {msg: h}
  tasks:
    - command: echo a
      notify: h
    - command: test {{ inventory_hostname }} != h1
`,
  force_handlers: `
- hosts: all
  gather_facts: false
  force_handlers: true
  handlers:
    - name: h
      debug: {msg: h}
  tasks:
    - command: echo a
      notify: h
    - command: test {{ inventory_hostname }} != h1
    - debug: {msg: later}
`,
  sections: `
- hosts: h1
  gather_facts: false
  pre_tasks:
    - command: echo pre
      notify: h
  tasks:
    - command: echo task
      notify: h
  post_tasks:
    - debug: {msg: post}
  handlers:
    - name: h
      debug: {msg: h}
`,
  serial: `
- hosts: all
  gather_facts: false
  serial: [1, 2]
  tasks:
    - debug: {msg: "{{ ansible_play_batch }} {{ ansible_play_hosts }} {{ ansible_play_hosts_all }}"}
    - command: test {{ inventory_hostname }} != h2
    - debug: {msg: "{{ ansible_play_batch }} {{ ansible_play_hosts }} {{ play_hosts }}"}
`,
  'a batch fails as a whole': `
- hosts: all
  gather_facts: false
  serial: 1
  tasks:
    - command: test {{ inventory_hostname }} != h2
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: next}
`,
  'failed hosts leave': `
- hosts: all
  gather_facts: false
  tasks:
    - command: test {{ inventory_hostname }} != h2
    - debug: {msg: left}
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: "next {{ ansible_play_hosts }}"}
`,
  max_fail_percentage: `
- hosts: all
  gather_facts: false
  max_fail_percentage: 30
  tasks:
    - command: test {{ inventory_hostname }} != h2
    - debug: {msg: after}
`,
  any_errors_fatal: `
- hosts: all
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - command: test {{ inventory_hostname }} != h2
    - debug: {msg: after}
`,
  run_once: `
- hosts: all
  gather_facts: false
  tasks:
    - command: echo {{ inventory_hostname }}
      run_once: true
      register: r
    - debug: {msg: "{{ r.stdout }}"}
    - set_fact: {x: "{{ inventory_hostname }}"}
      run_once: true
    - debug: {msg: "{{ x }}"}
    - fail: {msg: once}
      run_once: true
    - debug: {msg: never}
`,
  delegation: `
- hosts: h1,h2
  gather_facts: false
  tasks:
    - command: echo {{ inventory_hostname }}
      delegate_to: h3
      register: r
    - debug: {msg: "{{ r.stdout }}"}
    - set_fact: {mine: "{{ inventory_hostname }}"}
      delegate_to: h3
      delegate_facts: true
      run_once: true
    - debug: {msg: "{{ hostvars.h3.mine }} {{ mine is defined }}"}
    - command: echo local
      delegate_to: localhost
`,
  includes: `
- hosts: all
  gather_facts: false
  vars: {files: {h1: a, h2: b, h3: a}}
  tasks:
    - include_tasks: "{{ files[inventory_hostname] }}.yml"
      vars: {v: "{{ inventory_hostname }}"}
    - include_tasks: {file: c.yml, apply: {tags: [t], when: "inventory_hostname != 'h1'"}}
      loop: [1, 2]
      when: inventory_hostname != 'h3'
    - import_tasks: d.yml
      when: inventory_hostname == 'h2'
      vars: {w: 7}
--- a.yml
- debug: {msg: "a {{ v }}"}
- debug: {msg: "a2 {{ v }}"}
--- b.yml
- debug: {msg: "b {{ v }}"}
--- c.yml
- debug: {msg: "c {{ item }}"}
--- d.yml
- debug: {msg: "d {{ w }}"}
- block:
    - command: echo d2
`,
  'an include that fails': `
- hosts: h1,h2
  gather_facts: false
  tasks:
    - block:
        - include_tasks: a.yml
        - debug: {msg: never}
      rescue:
        - debug: {msg: "rescued {{ ansible_failed_task.name }}"}
    - include_tasks: nothing.yml
      when: inventory_hostname == 'h2'
    - debug: {msg: after}
--- a.yml
- name: inside
  fail: {msg: x}
`,
  meta: `
- hosts: all
  gather_facts: false
  tasks:
    - meta: noop
    - debug: {msg: one}
    - meta: end_host
      when: inventory_hostname == 'h2'
    - debug: {msg: two}
    - meta: end_play
      when: inventory_hostname == 'h1'
    - debug: {msg: three}
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: four}
`,
  clear_host_errors: `
- hosts: all
  gather_facts: false
  tasks:
    - command: test {{ inventory_hostname }} != h2
    - meta: clear_host_errors
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: next}
`,
  variables: `
- hosts: h1
  gather_facts: false
  vars: {a: play, b: "{{ a }}+"}
  vars_files: [v.yml, [nothing.yml, w.yml]]
  tasks:
    - debug: {msg: "{{ a }} {{ b }} {{ c }} {{ d }}"}
    - debug: {msg: "{{ a }} {{ b }}"}
      vars: {a: task}
    - block:
        - debug: {msg: "{{ a }} {{ b }}"}
      vars: {a: block}
    - set_fact: {a: fact}
    - debug: {msg: "{{ a }} {{ b }}"}
    - debug: {msg: "{{ a }}"}
      vars: {a: task}
    - include_vars: inc.yml
    - debug: {msg: "{{ a }} {{ e }}"}
    - include_vars: {file: inc.yml, name: under}
    - debug: {msg: "{{ under.e }} {{ inventory_hostname }} {{ group_names }} {{ groups.lab }} {{ groups['all'] | length }}"}
    - debug: {msg: "{{ hostvars['h2'].inventory_hostname }} {{ hostvars[inventory_hostname].a }} {{ undefined_one | default('none') }}"}
--- v.yml
c: file
--- w.yml
d: second
--- inc.yml
e: included
`,
  'add_host and group_by': `
- hosts: all
  gather_facts: false
  tasks:
    - add_host: {name: h9, groups: [new, newer], ansible_connection: local, colour: red}
    - group_by: {key: "g_{{ inventory_hostname == 'h1' }}"}
    - debug: {msg: "{{ groups.new }} {{ groups.g_True }} {{ hostvars.h9.colour }}"}
- hosts: new
  gather_facts: false
  tasks:
    - debug: {msg: "{{ colour }} {{ group_names }}"}
- hosts: g_False
  gather_facts: false
  tasks:
    - debug: {msg: "{{ group_names }}"}
`,
  undefined: `
- hosts: h1
  gather_facts: false
  tasks:
    - debug: {msg: "{{ nothing }}"}
      ignore_errors: true
    - debug: {msg: x}
      when: nothing == 1
      ignore_errors: true
    - debug: {msg: "{{ item }}"}
      loop: "{{ nothing }}"
      ignore_errors: true
    - debug: {msg: "{{ item }}"}
      loop: "{{ nothing }}"
      when: false
    - debug: {msg: "{{ nothing }}"}
      when: false
`,
  'block keywords': `
- hosts: all
  gather_facts: false
  environment: {A: play, B: play}
  tasks:
    - block:
        - shell: echo $A $B $C
          environment: {C: task}
          register: r
        - debug: {msg: "{{ r.stdout }}"}
          when: inventory_hostname == 'h1'
      environment: {B: block}
      when: inventory_hostname != 'h3'
      run_once: false
    - block:
        - fail: {msg: x}
        - debug: {msg: still}
      ignore_errors: true
`,
  'end of a batch': `
- hosts: all
  gather_facts: false
  serial: 2
  tasks:
    - debug: {msg: one}
    - meta: end_batch
      when: inventory_hostname == 'h1'
    - debug: {msg: two}
`,
  roles: `
- hosts: h1,h2
  gather_facts: false
  vars: {p: play}
  pre_tasks:
    - debug: {msg: "{{ from_defaults }} {{ from_vars }}"}
  roles:
    - web
    - {role: web, p: param, tags: [x]}
    - {role: web, p: param, tags: [x]}
    - {role: web, when: "inventory_hostname == 'h1'", vars: {v: 1}}
  tasks:
    - debug: {msg: "{{ from_defaults }} {{ p }}"}
    - include_role: {name: lazy}
      vars: {w: "{{ inventory_hostname }}"}
    - debug: {msg: "{{ lazy_default | default('private') }}"}
    - import_role: {name: lazy, tasks_from: other}
      when: inventory_hostname == 'h2'
    - include_role: {name: lazy, tasks_from: other.yml}
      loop: [1, 2]
    - debug: {msg: "{{ lazy_default | default('private') }}"}
    - command: echo x
      notify: [web handler, "lazy : lazy handler"]
  handlers:
    - name: web handler
      debug: {msg: of the play}
--- roles/web/tasks/main.yml
- debug: {msg: "{{ role_name }} {{ p }} {{ from_defaults }} {{ from_vars }} {{ role_path | basename }}"}
- include_tasks: more.yml
--- roles/web/tasks/more.yml
- command: echo more
  notify: web handler
--- roles/web/defaults/main.yml
from_defaults: d
p: default
--- roles/web/vars/main.yml
from_vars: v
--- roles/web/meta/main.yml
dependencies:
  - {role: base, q: dep}
--- roles/web/handlers/main.yml
- name: web handler
  debug: {msg: of the role}
--- roles/base/tasks/main.yml
- debug: {msg: "base {{ q }}"}
--- roles/lazy/tasks/main.yml
- debug: {msg: "lazy {{ w }} {{ lazy_default }}"}
--- roles/lazy/tasks/other.yml
- debug: {msg: "other {{ lazy_default }} {{ item | default('none') }}"}
--- roles/lazy/defaults/main.yml
lazy_default: l
--- roles/lazy/handlers/main.yml
- name: lazy handler
  debug: {msg: lazy handled}
`,
  'run_once and includes': `
- hosts: all
  gather_facts: false
  vars: {who: nobody}
  handlers:
    - name: h
      include_tasks: b.yml
  tasks:
    - include_tasks: a.yml
      run_once: true
    - debug: {msg: "{{ who }}"}
    - include_tasks: {file: a.yml, apply: {run_once: true}}
    - debug: {msg: "{{ who }}"}
    - command: echo x
      notify: h
      when: inventory_hostname != 'h1'
    - block:
        - fail: {msg: x}
          run_once: true
      rescue:
        - debug: {msg: "rescued {{ ansible_failed_task.name | default('no') }}"}
--- a.yml
- set_fact: {who: "{{ inventory_hostname }}"}
--- b.yml
- debug: {msg: "handled {{ who }}"}
`,
  'conditions in braces': `
- hosts: h1
  gather_facts: false
  vars: {yes_please: true, word: text}
  tasks:
    - debug: {msg: one}
      when: "{{ yes_please }}"
    - debug: {msg: two}
      when: not yes_please
    - debug: {msg: three}
      when: [yes_please, "word == 'text'"]
    - debug: {msg: "{{ ansible_host }} {{ inventory_hostname_short }}"}
`,
  'options and names out of variables': `
- hosts: h1
  gather_facts: false
  vars: {more: {msg: told}, which: colour}
  tasks:
    - debug: "{{ more }}"
    - debug:
      args: "{{ more }}"
    - debug: {msg: mine}
      args: "{{ more }}"
    - set_fact: {"my_{{ which }}": red, none_of_it: ~}
    - debug: {msg: "{{ my_colour }} {{ none_of_it is none }}"}
    - add_host: some text
      ignore_errors: true
    - add_host: "{{ {'name': 'h9', 'groups': 'late'} }}"
    - debug: {msg: "{{ groups.late }} {{ hostvars.h9.group_names }}"}
    - debug: {msg: "{{ [{'a': 1}] | groupby('a') == [[1, [{'a': 1}]]] }}"}
    - set_fact: {grouped: "{{ [{'a': 1}] | groupby('a') }}"}
    - debug: {msg: "{{ grouped == [[1, [{'a': 1}]]] }}"}
`,
  'errors that are cleared or fatal': `
- hosts: all
  gather_facts: false
  tasks:
    - block:
        - block:
            - fail: {msg: x}
              when: inventory_hostname == 'h1'
            - debug: {msg: on}
      always:
        - block:
            - meta: clear_host_errors
    - debug: {msg: all}
    - any_errors_fatal: true
      block:
        - fail: {msg: x}
          when: inventory_hostname == 'h2'
        - debug: {msg: spared}
      rescue:
        - debug: {msg: rescued}
    - debug: {msg: again all}
`,
  'the older include': `
- hosts: h1
  gather_facts: false
  vars: {name_of_file: b.yml}
  tasks:
    - include: a.yml word=hello
    - include: "{{ name_of_file }}"
      vars: {word: there}
    - include: b.yml
      loop: [1, 2]
      loop_control: {loop_var: word}
    - include_tasks: c.yml
    - import_tasks: "{{ late }}"
      vars: {late: b.yml, word: templated}
--- a.yml
- debug: {msg: "a {{ word }}"}
--- b.yml
- debug: {msg: "b {{ word }}"}
--- c.yml
- include: b.yml
  vars: {word: dynamic}
`,
  'retries that end, and wrong options that are expected': `
- hosts: h1
  gather_facts: false
  tasks:
    - command: echo x
      register: r
      until: false
      retries: 2
      delay: 0
      failed_when: r.attempts > 6
    - debug: {msg: "{{ r.attempts }} {{ r.failed }}"}
    - command: {argv: [a], nonsense: 1}
      ignore_errors: true
    - block:
        - stat: {path: /, nonsense: 1}
      rescue:
        - debug: {msg: "{{ ansible_failed_result is failed }}"}
`,
  'variables of dependencies and roles that run once': `
- hosts: h1
  gather_facts: false
  roles: [a]
  tasks:
    - import_role: {name: c, allow_duplicates: "{{ false }}"}
    - import_role: {name: c, allow_duplicates: false}
--- roles/a/meta/main.yml
dependencies:
  - {role: b, vars: {given: from_a}}
--- roles/a/vars/main.yml
winner: a
--- roles/b/meta/main.yml
dependencies: [c]
--- roles/b/tasks/main.yml
- debug: {msg: "{{ winner }} {{ given }}"}
--- roles/c/vars/main.yml
winner: c
--- roles/c/meta/main.yml
allow_duplicates: true
--- roles/c/tasks/main.yml
- debug: {msg: "c {{ winner }}"}
`,
  'names of roles, files of handlers, conditions that cannot be evaluated': `
- hosts: h1
  gather_facts: false
  roles: [a]
  tasks:
    - command: echo x
      notify: imported
    - command: echo x
      notify: heard
    - command: echo x
      register: r
      changed_when: r.nothing == 3
      ignore_errors: true
    - debug: {msg: "{{ r is failed }} {{ r.changed_when_result is string }}"}
    - debug: {msg: "{{ ansible_parent_role_names is defined }}"}
  handlers:
    - import_tasks: handlers.yml
--- handlers.yml
- name: imported
  debug: {msg: one}
- name: by another name
  debug: {msg: two}
  listen: heard
--- roles/a/meta/main.yml
dependencies: [b]
--- roles/a/tasks/main.yml
- debug: {msg: "{{ ansible_role_names | sort }} {{ ansible_play_role_names }} {{ ansible_dependent_role_names }}"}
- include_role: {name: c}
--- roles/b/tasks/main.yml
- debug: {msg: b}
--- roles/c/tasks/main.yml
- debug: {msg: "{{ ansible_parent_role_names }} {{ ansible_parent_role_paths | map('basename') | list }}"}
`,
  'variables of files': `
- hosts: h1
  gather_facts: false
  vars_files: [one.yml]
  tasks:
    - debug: {msg: "{{ where }} {{ deep }}"}
    - include_vars: {file: two.yml, hash_behaviour: merge}
    - debug: {msg: "{{ deep }}"}
    - include_vars: {dir: many, extensions: ['', yml], ignore_files: [no.yml]}
      register: r
    - debug: {msg: "{{ r.ansible_included_var_files | map('basename') | list }} {{ last }}"}
    - debug: {msg: x}
      with_list: {a: 1}
      ignore_errors: true
--- one.yml
where: beside
--- vars/one.yml
where: in vars
deep: {a: {b: 1}}
--- two.yml
deep: {a: {c: 2}}
--- many/b
last: b
--- many/c/d.yml
last: d
--- many/no.yml
last: none
`,
  'handlers of one name': `
- hosts: h1
  gather_facts: false
  roles: [a, b]
  tasks:
    - command: echo x
      notify: [same, twice]
  handlers:
    - {name: twice, debug: {msg: first of the play}}
    - {name: twice, debug: {msg: second of the play}}
    - {name: heard, listen: twice, debug: {msg: heard}}
--- roles/a/handlers/main.yml
- {name: same, debug: {msg: a}}
--- roles/b/handlers/main.yml
- {name: same, debug: {msg: first of b}}
- {name: same, debug: {msg: second of b}}
`,
}
