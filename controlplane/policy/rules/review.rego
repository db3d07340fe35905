# Whether a configuration may exist where it is about to be placed. Shapes,
# references and settings are checked before, by package workspace.
package weir.review

# A region is a wall: a workspace never runs on a plane of another region.
problems contains {
	"path": "region",
	"code": "region_mismatch",
	"text": sprintf("the workspace is pinned to region %s, but plane %s is in region %s", [input.region, input.plane.id, input.plane.region]),
} if {
	input.plane.region != input.region
}

# Its data already lies in the region it was made in.
problems contains {
	"path": "region",
	"code": "region_changed",
	"text": sprintf("the workspace was made in region %s and cannot move to %s; make a new workspace there", [input.former, input.region]),
} if {
	input.former != ""
	input.former != input.region
}
