// Package ecommerce knows the names that events of Segment's ecommerce specification have,
// and other ways of writing them.
package ecommerce

import "strings"

// synonyms are names that events of Segment's ecommerce v2 have elsewhere, in the form
// of spaced, by the name of v2.
// Source: https://segment.com/docs/connections/spec/ecommerce/v2/ and the names of its v1
var synonyms = map[string][]string{
	"Products Searched":         {"searched products", "product searched"},
	"Product List Viewed":       {"viewed product list", "viewed product category", "product category viewed"},
	"Product List Filtered":     {"filtered product list"},
	"Promotion Viewed":          {"viewed promotion"},
	"Promotion Clicked":         {"clicked promotion"},
	"Product Clicked":           {"clicked product"},
	"Product Viewed":            {"viewed product"},
	"Product Added":             {"added product"},
	"Product Removed":           {"removed product"},
	"Cart Viewed":               {"viewed cart"},
	"Checkout Started":          {"started checkout"},
	"Checkout Step Viewed":      {"viewed checkout step"},
	"Checkout Step Completed":   {"completed checkout step"},
	"Payment Info Entered":      {"entered payment info"},
	"Order Completed":           {"completed order"},
	"Order Updated":             {"updated order"},
	"Order Refunded":            {"refunded order"},
	"Order Cancelled":           {"cancelled order", "order canceled", "canceled order"},
	"Coupon Entered":            {"entered coupon"},
	"Coupon Applied":            {"applied coupon"},
	"Coupon Denied":             {"denied coupon"},
	"Coupon Removed":            {"removed coupon"},
	"Product Added to Wishlist": {"added product to wishlist"},
	"Product Removed from Wishlist": {
		"removed product from wishlist"},
	"Wishlist Product Added to Cart": {
		"added wishlist product to cart"},
	"Product Shared":   {"shared product"},
	"Cart Shared":      {"shared cart"},
	"Product Reviewed": {"reviewed product"},
}

// canonical is the name of v2 by every form of it.
var canonical = func() map[string]string {
	all := map[string]string{}
	for name, others := range synonyms {
		all[spaced(name)] = name
		for _, other := range others {
			all[other] = name
		}
	}
	return all
}()

// longest is the length in bytes of the longest name that is looked for.
const longest = 64

// Canonical returns the name that an event of Segment's ecommerce v2 has there, for any
// of its synonyms and ways of writing: Order Completed for order_completed and Completed
// Order. All other names stay as they are.
func Canonical(name string) string {
	if len(name) > longest {
		return name
	}
	if _, there := synonyms[name]; there {
		return name
	}
	if known, ok := canonical[spaced(name)]; ok {
		return known
	}
	return name
}

// spaced is a name in lower case with a space between its words.
func spaced(name string) string {
	var b strings.Builder
	lower := false
	for _, r := range name {
		switch {
		case r == '_' || r == '-' || r == ' ':
			r = ' '
		case r >= 'A' && r <= 'Z':
			if lower {
				b.WriteByte(' ')
			}
			r += 'a' - 'A'
			lower = false
			b.WriteRune(r)
			continue
		}
		lower = r >= 'a' && r <= 'z'
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
