# Sums what the code of one object file costs by itself, from callgrind's own file.
#
#   awk -v object=libflashsale -f scripts/object_cost.awk callgrind.out
#
# Not from callgrind_annotate, which names the object only where it changes: code of other
# files that was inlined is left out by whoever looks for the name. Here `ob=` holds until
# the next one, a name is written once and then stands for its number, and the line after
# `calls=` is the cost of what was called.
/^c?ob=/ {
  match($0, /\([0-9]+\)/)
  number = substr($0, RSTART, RLENGTH)
  if (length($0) > RSTART + RLENGTH) is_it[number] = index($0, object) > 0
  if (/^ob=/) counts = is_it[number]
}
/^calls=/ { getline; next }
counts && /^[0-9+*-]/ { sum += $2 }
END { printf "%d\n", sum }
