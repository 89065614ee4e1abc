use super::*;
use flashsale_fuzz::samples_line::waiting_sale;
#[test]
fn look() {
    let sale = waiting_sale();
    for item in sale.items() { println!("{:?} waiting {}", item, sale.waiting_for(sale.find_item(item.sku).unwrap())); }
    println!("{:?} {:?}", sale.line_counts(), sale.last_draw());
    let mut c = Some(PlaceCursor::START);
    while let Some(f) = c { c = sale.scan_places(f, 100, &mut |p| { println!("{:?} item {} number {} qty {} ahead {:?}", String::from_utf8_lossy(p.id.bytes(&mut NameBuffer::default())), p.item, p.number, p.qty, sale.ahead_of(p)); }); }
    let again = loaded(&saved(&sale)).unwrap();
    println!("{} bytes due {:?} {:?}", saved(&sale)[0].len(), sale.lines_due_ms(), again.lines_due_ms());
}
