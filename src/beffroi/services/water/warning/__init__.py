"""Flood warning: thresholds, the warning they open, who is called, what is done, what people are told.

`records` what is kept · `thresholds` rules made from thresholds · `following` a warning from its alarms · `acting` what
people do with it · `escalation` who is called and when · `messages` CAP · `standing` what is shown of a river · `advice` what to
do · `images` pictures of a river · `public_pages`, `desk_pages`.
"""
