package ecommerce_test

import (
	"strings"
	"testing"

	"weir/shared/catalog/ecommerce"
)

func TestNamesAndTheirSynonyms(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Order Completed": "Order Completed", "order_completed": "Order Completed", "Completed Order": "Order Completed", "orderCompleted": "Order Completed",
		"product-added": "Product Added", "Added to Cart": "Added to Cart", "Order Completed!": "Order Completed!", "": "",
		"viewed product category": "Product List Viewed", "Signed Up": "Signed Up", strings.Repeat("x", 300): strings.Repeat("x", 300),
		"Product Removed From Wishlist": "Product Removed from Wishlist",
	} {
		if got := ecommerce.Canonical(name); got != want {
			t.Errorf("Canonical(%q) = %q, want %q", name, got, want)
		}
	}
}
