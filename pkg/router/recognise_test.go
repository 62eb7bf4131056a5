package router_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router"
)

// The committed match is known again by what it is rendered to, and no other is taken for it.
func TestRecognise(t *testing.T) {
	type objects = []map[string]any
	other := []v1beta1.RequestMatch{{}}
	insiders := []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}}}
	cookies := objects{{"cookie": "5f64"}}
	for name, c := range map[string]struct {
		committed []v1beta1.RequestMatch
		added     objects
		// none and some are what no match and the committed one are rendered to.
		none, some objects
		holds      bool
		match      []v1beta1.RequestMatch
		asLeft     bool
	}{
		"nothing":                         {nil, nil, nil, nil, true, nil, true},
		"nothing, and something is amiss": {nil, nil, nil, nil, false, nil, false},
		"the committed one":               {insiders, objects{{"a": 1}}, nil, objects{{"a": 1}}, true, insiders, true},
		"another":                         {insiders, objects{{"b": 1}}, nil, objects{{"a": 1}}, true, other, false},
		"one, where none is committed":    {nil, objects{{"a": 1}}, nil, nil, true, other, false},
		"none, where one is committed":    {insiders, nil, nil, objects{{"a": 1}}, true, nil, true},
		"a cookie alone":                  {insiders, cookies, cookies, objects{{"a": 1}}, true, nil, true},
	} {
		match, asLeft := router.Recognise(c.committed, c.added, func(m []v1beta1.RequestMatch) (objects, bool) {
			if m == nil {
				return c.none, c.holds
			}
			return c.some, c.holds
		})
		require.Equal(t, c.match, match, name)
		require.Equal(t, c.asLeft, asLeft, name)
	}
}
