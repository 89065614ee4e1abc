//! What `flashsale top` prints.
