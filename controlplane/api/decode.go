package api

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

// read returns the body of a request.
func read(c echo.Context) ([]byte, error) {
	body, err := io.ReadAll(c.Request().Body)
	if err == nil {
		return body, nil
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, err
	}
	return nil, reject(http.StatusBadRequest, "the body ended too early")
}

// decode reads the JSON body of a request into v. Unknown and doubled members
// are refused.
func decode(c echo.Context, v any) error {
	body, err := read(c)
	if err != nil {
		return err
	}
	return parse(body, v)
}

func parse(body []byte, v any) error {
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return reject(http.StatusBadRequest, "the body is not JSON")
	}
	p := fault.Problem{Path: draft.Path(string(semantic.JSONPointer)), Code: "wrong_type", Text: "The value is not of the type that belongs here."}
	if errors.Is(err, json.ErrUnknownName) {
		p.Code, p.Text = "unknown_field", "This field is not known."
	}
	return fault.Problems("the body cannot be read", []fault.Problem{p})
}

// ifMatch reads the number of an If-Match header, draft.Unconditional when
// there is none.
func ifMatch(c echo.Context) (uint64, error) {
	header := strings.TrimSpace(c.Request().Header.Get("If-Match"))
	if header == "" || header == "*" {
		return draft.Unconditional, nil
	}
	if len(header) < 3 || header[0] != '"' || header[len(header)-1] != '"' {
		return 0, reject(http.StatusBadRequest, "If-Match is a revision's number in double quotes")
	}
	number, err := strconv.ParseUint(header[1:len(header)-1], 10, 64)
	if err != nil || number == draft.Unconditional {
		return 0, reject(http.StatusBadRequest, "If-Match is a revision's number in double quotes")
	}
	return number, nil
}

// matched says 412 of a Conflict that the caller's own If-Match led to.
func matched(base uint64, err error) error {
	if err != nil && base != draft.Unconditional && fault.KindOf(err) == fault.Conflict {
		return &rejected{http.StatusPreconditionFailed, err}
	}
	return err
}

func etag(number uint64) string { return `"` + strconv.FormatUint(number, 10) + `"` }

// Sizes of a page, in entries.
const (
	defaultPage = 100
	largestPage = 500
)

// page reads cursor and limit. A cursor is the number below which to go on.
func page(c echo.Context) (below uint64, limit int, err error) {
	limit = defaultPage
	if text := c.QueryParam("limit"); text != "" {
		limit, err = strconv.Atoi(text)
		if err != nil || limit < 1 || limit > largestPage {
			return 0, 0, reject(http.StatusBadRequest, "limit is a number from 1 to %d", largestPage)
		}
	}
	if text := c.QueryParam("cursor"); text != "" {
		below, err = strconv.ParseUint(text, 10, 63)
		if err != nil || below == 0 {
			return 0, 0, reject(http.StatusBadRequest, "cursor is the former page's next")
		}
	}
	return below, limit, nil
}

// next is the cursor of the page after one of n entries that ends with last.
func next(n, limit int, last uint64) string {
	if n < limit || last <= 1 {
		return ""
	}
	return strconv.FormatUint(last, 10)
}
