-- Hook of `refund`: the money of the units that came back.
INSERT INTO jobs (kind, reservation, ref, cents)
  SELECT 'refund', :id, :ref, sum((value ->> 'qty') * (SELECT cents FROM prices WHERE sku = value ->> 'sku'))
  FROM json_each(:items);
