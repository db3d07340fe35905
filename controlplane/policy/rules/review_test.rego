package weir.review_test

import data.weir.review

codes(doc) := {p.code | some p in review.problems with input as doc}

test_same_region if codes({"region": "eu", "former": "", "plane": {"id": "pl_a", "region": "eu"}}) == set()

test_kept_region if codes({"region": "eu", "former": "eu", "plane": {"id": "pl_a", "region": "eu"}}) == set()

test_foreign_plane if codes({"region": "eu", "former": "", "plane": {"id": "pl_a", "region": "us"}}) == {"region_mismatch"}

test_moved if codes({"region": "us", "former": "eu", "plane": {"id": "pl_a", "region": "us"}}) == {"region_changed"}

test_both if codes({"region": "us", "former": "eu", "plane": {"id": "pl_a", "region": "eu"}}) == {"region_changed", "region_mismatch"}
