package web

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"weir/controlplane/draft"
	"weir/shared/fault"
)

// Read returns the body of a request.
func Read(c echo.Context) ([]byte, error) {
	body, err := io.ReadAll(c.Request().Body)
	if err == nil {
		return body, nil
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, err
	}
	return nil, Reject(http.StatusBadRequest, "the body ended too early")
}

// Decode reads the JSON body of a request into v. Unknown and doubled members
// are refused.
func Decode(c echo.Context, v any) error {
	body, err := Read(c)
	if err != nil {
		return err
	}
	return Parse(body, v)
}

// Parse is Decode of a body that was read.
func Parse(body []byte, v any) error {
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return Reject(http.StatusBadRequest, "the body is not JSON")
	}
	p := fault.Problem{Path: draft.Path(string(semantic.JSONPointer)), Code: "wrong_type", Text: "The value is not of the type that belongs here."}
	if errors.Is(err, json.ErrUnknownName) {
		p.Code, p.Text = "unknown_field", "This field is not known."
	}
	return fault.Problems("the body cannot be read", []fault.Problem{p})
}

// IfMatch reads the number of an If-Match header, draft.Unconditional when
// there is none.
func IfMatch(c echo.Context) (uint64, error) {
	header := strings.TrimSpace(c.Request().Header.Get("If-Match"))
	if header == "" || header == "*" {
		return draft.Unconditional, nil
	}
	if len(header) < 3 || header[0] != '"' || header[len(header)-1] != '"' {
		return 0, Reject(http.StatusBadRequest, "If-Match is a revision's number in double quotes")
	}
	number, err := strconv.ParseUint(header[1:len(header)-1], 10, 64)
	if err != nil || number == draft.Unconditional {
		return 0, Reject(http.StatusBadRequest, "If-Match is a revision's number in double quotes")
	}
	return number, nil
}

// Matched says 412 of a Conflict that the caller's own If-Match led to.
func Matched(base uint64, err error) error {
	if err != nil && base != draft.Unconditional && fault.KindOf(err) == fault.Conflict {
		return &rejected{http.StatusPreconditionFailed, err}
	}
	return err
}

// ETag is how a revision's number stands in If-Match and ETag.
func ETag(number uint64) string { return `"` + strconv.FormatUint(number, 10) + `"` }

// Sizes of a page, in entries.
const (
	defaultPage = 100
	largestPage = 500
)

// Page reads cursor and limit. A cursor is the number below which to go on.
func Page(c echo.Context) (below uint64, limit int, err error) {
	limit = defaultPage
	if text := c.QueryParam("limit"); text != "" {
		limit, err = strconv.Atoi(text)
		if err != nil || limit < 1 || limit > largestPage {
			return 0, 0, Reject(http.StatusBadRequest, "limit is a number from 1 to %d", largestPage)
		}
	}
	if text := c.QueryParam("cursor"); text != "" {
		below, err = strconv.ParseUint(text, 10, 63)
		if err != nil || below == 0 {
			return 0, 0, Reject(http.StatusBadRequest, "cursor is the former page's next")
		}
	}
	return below, limit, nil
}

// Next is the cursor of the page after one of n entries that ends with last.
func Next(n, limit int, last uint64) string {
	if n < limit || last <= 1 {
		return ""
	}
	return strconv.FormatUint(last, 10)
}
