-- Hook of `order`: no entry, no capture. An item without a price fails the hook, and is a dead letter.
INSERT INTO jobs (kind, reservation, ref, cents)
  SELECT 'capture', :id, :ref, sum((value ->> 'qty') * (SELECT cents FROM prices WHERE sku = value ->> 'sku'))
  FROM json_each(:items);
