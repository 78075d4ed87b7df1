//! The object for programs. What is not known is `null`, with the reason in `reasons`.

use mallow_analyze::escape;
use mallow_analyze::read::meminfo::Item;
use serde_json::{Map, Value, json};

use super::Report;

/// Everything there is to say.
pub(super) fn object(report: &Report) -> Value {
    let summary = &report.summary;
    let lines = report.lines.iter().map(|line| json!({ "name": line.name, "bytes": line.bytes }));
    json!({
        "total_bytes": summary.total,
        "used_bytes": summary.used,
        "free_bytes": summary.free,
        "shared_bytes": summary.shared,
        "cache_bytes": summary.cache,
        "available_bytes": summary.available,
        "swap_total_bytes": summary.swap_total,
        "swap_used_bytes": summary.swap_used,
        "lines": lines.collect::<Vec<_>>(),
        "residual_bytes": report.residual.and_then(|bytes| i64::try_from(bytes).ok()),
        "committed_bytes": report.get(Item::CommittedAs),
        "commit_limit_bytes": report.get(Item::CommitLimit),
        "overcommit_mode": report.overcommit_mode.as_ref().ok(),
        "free_by_order": report.orders.as_ref().ok().map(|_| orders(report)),
        "zones": report.zones.as_ref().ok().map(|_| zones(report)),
        "slab_caches": report.caches.as_ref().ok().map(|_| caches(report)),
        "vmalloc_callers": report.vmalloc.as_ref().ok().map(|_| callers(report)),
        "huge_pages": report.huge_pages.iter().map(|size| {
            json!({ "page_bytes": size.bytes, "count": size.count, "free": size.free })
        }).collect::<Vec<_>>(),
        "transparent_huge_pages": report.thp.as_ref().ok(),
        "nodes": nodes(report),
        "meminfo": meminfo(report),
        "reasons": reasons(report),
    })
}

fn orders(report: &Report) -> Vec<Value> {
    let orders = report.orders.as_deref().unwrap_or_default().iter();
    orders
        .map(|order| {
            json!({
                "order": order.order,
                "block_bytes": order.block_bytes,
                "blocks": order.blocks,
                "bytes_in_blocks_as_long": order.bytes_from,
            })
        })
        .collect()
}

fn zones(report: &Report) -> Vec<Value> {
    let bytes = |pages: Option<u64>| pages.map(|pages| pages.saturating_mul(report.page_bytes));
    let zones = report.zones.as_deref().unwrap_or_default().iter();
    zones
        .map(|zone| {
            json!({
                "node": zone.node,
                "name": escape::name(&zone.name),
                "free_bytes": bytes(zone.free),
                "min_bytes": bytes(zone.min),
                "low_bytes": bytes(zone.low),
                "high_bytes": bytes(zone.high),
                "managed_bytes": bytes(zone.managed),
            })
        })
        .collect()
}

fn caches(report: &Report) -> Vec<Value> {
    let caches = report.caches.as_deref().unwrap_or_default().iter();
    caches
        .filter(|cache| cache.pages() > 0)
        .map(|cache| {
            json!({
                "name": escape::name(&cache.name),
                "bytes": cache.pages().saturating_mul(report.page_bytes),
                "live_bytes": cache.live_bytes(),
                "live_objects": cache.live_objects,
                "object_bytes": cache.object_bytes,
            })
        })
        .collect()
}

fn callers(report: &Report) -> Vec<Value> {
    let callers = report.vmalloc.as_deref().unwrap_or_default().iter();
    callers
        .map(|(name, pages)| {
            json!({ "caller": escape::name(name), "bytes": pages.saturating_mul(report.page_bytes) })
        })
        .collect()
}

fn nodes(report: &Report) -> Vec<Value> {
    let nodes = report.nodes.iter();
    nodes
        .map(|(number, node)| {
            json!({
                "node": number,
                "total_bytes": node.get(Item::Total),
                "free_bytes": node.get(Item::Free),
                "anonymous_bytes": node.get(Item::AnonPages),
            })
        })
        .collect()
}

/// Every line of the kernel that is known here, in bytes but for the numbers of huge pages.
fn meminfo(report: &Report) -> Value {
    let pairs = report.meminfo.iter().map(|(item, number)| (item.name().to_owned(), json!(number)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn reasons(report: &Report) -> Value {
    let all = [
        ("overcommit_mode", report.overcommit_mode.as_ref().err()),
        ("pressure", report.pressure.as_ref().err()),
        ("free_by_order", report.orders.as_ref().err()),
        ("zones", report.zones.as_ref().err()),
        ("slab_caches", report.caches.as_ref().err()),
        ("vmalloc_callers", report.vmalloc.as_ref().err()),
        ("transparent_huge_pages", report.thp.as_ref().err()),
    ];
    let told = all.into_iter().filter_map(|(name, reason)| Some((name.to_owned(), json!(reason?))));
    Value::Object(told.collect::<Map<_, _>>())
}
