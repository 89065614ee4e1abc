//! What a reader sees of a sale, held against the model.

use super::model::{Model, State};
use super::words::of;
use super::world::SKUS;
use crate::commands::play::Fault;
use crate::commands::requests::name;
use flashsale_engine::sale::{self, Hasher, NameBuffer, PlaceCursor, Sale};

/// A sale from the chunks of a snapshot, with another secret key.
pub fn load_as(chunks: &[Vec<u8>], hasher: Hasher) -> Result<Sale, Fault> {
    let mut loader = sale::Loader::new(hasher);
    for chunk in chunks {
        loader.push(chunk).map_err(|error| error.to_string())?;
    }
    loader.finish().map_err(|error| error.to_string())
}

/// Stock, reservations, places and counts; and AUDIT finds nothing.
pub fn compare(model: &Model, sale: &Sale) -> Result<(), Fault> {
    let agree = |what: &str, is: String, should_be: String| {
        if is == should_be {
            return Ok(());
        }
        Err(format!("{what}: {is}, expected {should_be}"))
    };
    for item in model.items() {
        let view = sale.item(item as u32);
        let is = (
            view.available,
            view.reserved,
            view.sold,
            sale.waiting_for(item as u32),
        );
        let people = model
            .lines
            .get(&item)
            .map_or(0, |line| line.living().count() as u64);
        let should_be = (
            model.available(item),
            model.reserved(item),
            model.sold(item),
            people,
        );
        let sku = name(SKUS[item]);
        agree(&sku, format!("{is:?}"), format!("{should_be:?}"))?;
    }
    for res in &model.reservations {
        let id = of(&res.id);
        let slot = sale
            .find(sale.key(&id))
            .ok_or(format!("{} is unknown", res.id))?;
        let view = sale.view(slot).expect("a view");
        let state = match res.state {
            State::Open => "reserved",
            State::Late | State::Expired => "expired",
            State::Released => "released",
            State::Sold if res.is_refunded => "refunded",
            State::Sold => "sold",
        };
        agree(&res.id, view.state.word().into(), state.into())?;
    }
    agree(
        "reservations",
        sale.reservations_known().to_string(),
        model.reservations.len().to_string(),
    )?;
    agree(
        "people",
        sale.waiting_len().to_string(),
        model.waiting().to_string(),
    )?;
    for (&item, line) in &model.lines {
        for (number, person) in line.people.iter().enumerate() {
            let Some(person) = person else { continue };
            let id = of(&person.id);
            let slot = sale
                .find_place(sale.key(&id))
                .ok_or(format!("{} waits not", person.id))?;
            let place = sale.place(slot).expect("a place");
            let is = (place.item as usize, place.number as usize, place.qty);
            let should_be = (item, number, person.qty);
            agree(&person.id, format!("{is:?}"), format!("{should_be:?}"))?;
            let ahead = line
                .order
                .as_ref()
                .map(|_| (line.place_of(number) - line.head) as u64);
            agree(
                "ahead",
                format!("{:?}", sale.ahead_of(place)),
                format!("{ahead:?}"),
            )?;
            let of_user = sale
                .place_of_user(&of(&person.user))
                .map(|place| place.slot);
            agree(
                "by user",
                format!("{of_user:?}"),
                format!("{:?}", Some(slot)),
            )?;
        }
    }
    let mut scanned = Vec::new();
    let mut cursor = Some(PlaceCursor::START);
    while let Some(from) = cursor {
        cursor = sale.scan_places(from, 3, &mut |place| {
            let mut buffer = NameBuffer::default();
            scanned.push(name(place.id.bytes(&mut buffer)));
        });
    }
    scanned.sort();
    let mut people: Vec<String> = model
        .lines
        .values()
        .flat_map(|line| line.living())
        .map(|one| one.id.clone())
        .collect();
    people.sort();
    agree("scanned", format!("{scanned:?}"), format!("{people:?}"))?;
    let counts = sale.line_counts();
    agree(
        "counts",
        format!("{:?}", (counts.granted, counts.passed_over)),
        format!("{:?}", (model.granted, model.passed)),
    )?;
    agree(
        "draw",
        format!("{:?}", sale.last_draw()),
        format!("{:?}", model.draw.as_ref()),
    )?;
    let audit = sale.audit_whole().into_lines();
    agree("AUDIT", format!("{audit:?}"), "[]".into())
}
