// Package pages reads which page of a list a caller wants, and cuts it out of lists that are
// small. Lists are ordered by name; a page has a thousand entries at most.
package pages

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
)

// mostListed is how many entries a page of a list has, unless its caller wants fewer.
const mostListed = 1000

// List is which page of a list a caller wants. Lists are ordered by name.
type List struct {
	Like       string // in a name, whatever the case; empty for all
	After      string // the key of an entry: go on behind it
	Limit      int
	Descending bool
}

// Read reads q, sort, cursor and limit.
func Read(c echo.Context) (List, error) {
	l := List{Like: c.QueryParam("q"), Limit: mostListed}
	switch sort := c.QueryParam("sort"); sort {
	case "", "name":
	case "-name":
		l.Descending = true
	default:
		return l, web.Reject(http.StatusBadRequest, "sort is name or -name")
	}
	var err error
	if text := c.QueryParam("limit"); text != "" {
		if l.Limit, err = strconv.Atoi(text); err != nil || l.Limit < 1 || l.Limit > mostListed {
			return l, web.Reject(http.StatusBadRequest, "limit is a number from 1 to %d", mostListed)
		}
	}
	if text := c.QueryParam("cursor"); text != "" {
		key, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(key) == 0 {
			return l, web.Reject(http.StatusBadRequest, "cursor is the former page's next")
		}
		l.After = string(key)
	}
	return l, nil
}

// OneOf refuses a parameter of the query that is there and none of values.
func OneOf(c echo.Context, name string, values ...string) error {
	if v := c.QueryParam(name); v != "" && !slices.Contains(values, v) {
		return web.Reject(http.StatusBadRequest, "%s is %s", name, strings.Join(values, " or "))
	}
	return nil
}

// Cursor goes on behind the entry with a key, which is not empty.
func Cursor(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

// Paged returns the page of all that l asks for, and the cursor of the next one, empty when
// there is none. Name is what an entry is ordered and looked for by, and id tells entries of
// one name apart.
func Paged[T any](l List, all []T, name, id func(T) string) (page []T, next string) {
	key := func(v T) string { return name(v) + "\x00" + id(v) }
	page = make([]T, 0, min(len(all), l.Limit))
	like := strings.ToLower(l.Like)
	for _, v := range all {
		if strings.Contains(strings.ToLower(name(v)), like) {
			page = append(page, v)
		}
	}
	order := 1
	if l.Descending {
		order = -1
	}
	slices.SortFunc(page, func(a, b T) int { return order * cmp.Compare(key(a), key(b)) })
	if l.After != "" {
		page = slices.DeleteFunc(page, func(v T) bool { return order*cmp.Compare(key(v), l.After) <= 0 })
	}
	if len(page) > l.Limit {
		page = page[:l.Limit]
		next = Cursor(key(page[l.Limit-1]))
	}
	return page, next
}

// Answer answers with the page of all that the request asks for, as a member of the
// answer beside next. Name and id are those of Paged.
func Answer[T any](c echo.Context, member string, all []T, name, id func(T) string) error {
	l, err := Read(c)
	if err != nil {
		return err
	}
	page, next := Paged(l, all, name, id)
	return c.JSON(http.StatusOK, map[string]any{member: page, "next": next})
}
