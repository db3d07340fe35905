package main

import (
	"bytes"
	"os"
	"testing"
)

// TestWhatIsWrittenIsOfToday holds the API's document and the page to the declaration of
// the kinds.
func TestWhatIsWrittenIsOfToday(t *testing.T) {
	t.Chdir("../../../..")
	const remedy = "go run ./shared/workspace/document/gen"
	api, err := os.ReadFile(contract)
	if err != nil {
		t.Fatal(err)
	}
	if next, err := described(api); err != nil || !bytes.Equal(api, next) {
		t.Errorf("%s is not of the declared kinds (%v): %s", contract, err, remedy)
	}
	if text, err := os.ReadFile(page); err != nil || !bytes.Equal(text, language()) {
		t.Errorf("%s is not of the declared kinds (%v): %s", page, err, remedy)
	}
}
