use super::*;
use proptest::prelude::*;

const LOGS: [&[u8]; 7] = [
    include_bytes!("../../../tests/kernel-logs/2.6.32-cgroup.log"),
    include_bytes!("../../../tests/kernel-logs/3.16-machine.log"),
    include_bytes!("../../../tests/kernel-logs/4.15-cgroup.log"),
    include_bytes!("../../../tests/kernel-logs/5.4-group.log"),
    include_bytes!("../../../tests/kernel-logs/5.15-nobody.log"),
    include_bytes!("../../../tests/kernel-logs/6.16-machine.log"),
    include_bytes!("../../../tests/kernel-logs/6.18-cgroup-v1.kmsg"),
];

fn one(log: &[u8]) -> Kill {
    let mut found = kills(log);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn group(limited: &str, of_task: &str) -> Scope {
    Scope::Group { limited: limited.into(), of_task: of_task.into() }
}

#[test]
fn kernel_2_6_32_is_read() {
    let kill = one(LOGS[0]);
    assert_eq!(kill.scope, group("/batch", "/batch/job"));
    assert_eq!(kill.kernel.as_deref(), Some(&b"2.6.32-431.el6.x86_64"[..]));
    assert_eq!(kill.asker.as_ref().and_then(|asker| asker.pid), Some(4711));
    assert_eq!(kill.chosen, Some((4711, b"java".to_vec(), Some(988))));
    let [victim] = &kill.victims[..] else { panic!("{kill:?}") };
    assert_eq!((victim.pid, &victim.name[..], victim.user), (4711, &b"java"[..], Some(500)));
    assert_eq!((victim.anonymous, victim.page_tables), (Some(404_000 << 10), None));
    assert_eq!((kill.tasks.len(), kill.tasks[1].resident), (2, 101_200));
    assert_eq!(kill.tasks[1].page_tables, PageTables::Unknown);
    assert_eq!(kill.time.of_day.as_deref(), Some(&b"Feb  3 04:05:06"[..]));
}

#[test]
fn kernel_3_16_kills_a_child_with_brackets_in_its_name() {
    let kill = one(LOGS[1]);
    assert_eq!(kill.scope, Scope::Machine);
    assert_eq!(kill.asker.as_ref().map(|asker| &asker.name[..]), Some(&b"pg (main)"[..]));
    assert_eq!(kill.chosen, Some((4001, b"pg (main)".to_vec(), Some(693))));
    let [victim] = &kill.victims[..] else { panic!("{kill:?}") };
    assert_eq!((victim.pid, &victim.name[..]), (4082, &b"pg (main)"[..]));
    assert_eq!((kill.ram_pages, kill.reserved_pages), (Some(1_048_446), Some(20_446)));
    assert_eq!(kill.swap_bytes, Some(1_048_572 << 10));
    assert_eq!((kill.tasks[0].adjustment, kill.tasks[2].adjustment), (-1000, 600));
    assert_eq!(kill.tasks[1].page_tables, PageTables::Pages(1400));
    assert_eq!(kill.tasks[3].name, b"pg (main)");
}

#[test]
fn kernel_4_15_adds_up_two_levels_of_page_tables() {
    let kill = one(LOGS[2]);
    assert_eq!(kill.scope, group("/docker/0f3c", "/docker/0f3c"));
    assert_eq!(kill.tasks[1].page_tables, PageTables::Pages(268));
    assert_eq!(kill.usage.len(), 3);
    assert_eq!((kill.usage[0].limit, kill.usage[0].hits), (512 << 20, 6150));
    assert_eq!(kill.victims[0].reaped, Some(true));
    assert_eq!(kill.kernel.as_deref(), Some(&b"4.15.0-20-generic"[..]), "a tainted one");
}

#[test]
fn kernel_5_4_kills_a_group_as_a_whole() {
    let kill = one(LOGS[3]);
    assert_eq!(kill.whole_group.as_deref(), Some(&b"/app.slice/w"[..]));
    assert_eq!(kill.scope, group("/app.slice", "/app.slice/w"));
    let victims: Vec<_> = kill.victims.iter().map(|victim| (victim.pid, victim.reaped)).collect();
    assert_eq!(victims, [(901, Some(true)), (900, None)], "each once");
    assert_eq!(kill.time.of_day.as_deref(), Some(&b"Wed Mar  4 10:00:01 2020"[..]));
}

#[test]
fn that_nobody_was_found_is_read() {
    let kill = one(LOGS[4]);
    assert!(kill.found_nobody && kill.victims.is_empty());
    assert_eq!(kill.asker.as_ref().and_then(|asker| asker.order), Some(3));
    assert_eq!(kill.time.since_start_us, Some(90_000_001));
}

#[test]
fn kernel_6_16_says_less_of_the_second_kill() {
    let found = kills(LOGS[5]);
    let [first, second] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&first.scope, first.tasks.len()), (&Scope::Machine, 4));
    assert_eq!(first.victims[0].reaped, Some(false));
    assert_eq!(first.tasks[3].page_tables, PageTables::Bytes(1_843_200));
    assert_eq!((&second.scope, second.asker.is_none(), second.tasks.len()), (&Scope::Machine, true, 0));
    assert_eq!(second.victims[0].adjustment, Some(0));
}

#[test]
fn kernel_6_18_is_read_as_it_was_recorded() {
    let kill = one(LOGS[6]);
    assert_eq!(kill.time.since_start_us, Some(37_095_540_930));
    assert_eq!(kill.scope, group("/mallow-limits-test", "/mallow-limits-test"));
    let asker = kill.asker.unwrap();
    assert_eq!((asker.pid, &asker.kind[..]), (Some(20_532), &b"0xcc0(GFP_KERNEL)"[..]));
    assert_eq!((kill.tasks[0].resident, kill.tasks[0].page_tables), (11_538, PageTables::Bytes(135_168)));
    assert_eq!(kill.victims[0].page_tables, Some(132 << 10));
    assert!(!kill.lines.iter().any(|(_, line)| line.starts_with(b"rss ") || line.starts_with(b" ")));
}

#[test]
fn hostile_names_do_not_mislead() {
    let log = b"\
a) total-vm:1kB invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0
Out of memory: Killed process 7 (b) total-vm:2kB, (c) total-vm:3kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:1 pgtables:5kB oom_score_adj:-17
";
    let kill = one(log);
    assert_eq!(kill.asker.unwrap().name, b"a) total-vm:1kB");
    assert_eq!(kill.victims[0].name, b"b) total-vm:2kB, (c");
    assert_eq!((kill.victims[0].anonymous, kill.victims[0].adjustment), (Some(4096), Some(-17)));
}

#[test]
fn other_lines_are_left_out() {
    for text in [
        "Killed process",
        "Killed process x (y)",
        "oom_reaper: reaped process 1 (x), now",
        "[  1] 2 3",
        "a pages RAM",
    ] {
        assert_eq!(kills(text.as_bytes()), [], "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(log: Vec<u8>) {
        kills(&log);
    }

    #[test]
    fn damaged_logs_are_read(which in 0..LOGS.len(), place: prop::sample::Index, bytes: [u8; 3]) {
        let mut log = LOGS[which].to_vec();
        let place = place.index(log.len());
        log.splice(place..(place + 2).min(log.len()), bytes);
        kills(&log);
    }

    #[test]
    fn shortened_logs_are_read(which in 0..LOGS.len(), end: prop::sample::Index) {
        let log = LOGS[which];
        prop_assert!(kills(&log[..end.index(log.len())]).len() <= 2);
    }
}
