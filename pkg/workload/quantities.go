package workload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// readable refuses a pod's template with a quantity that takes for ever to read. The API server keeps the template of a
// Job as it is written, so nobody has looked at it before.
func readable(template []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(template))
	decoder.UseNumber()
	var all any
	if decoder.Decode(&all) != nil {
		return nil //nolint:nilerr // who reads it as a template says so
	}
	return quantitiesIn(all, false)
}

// quantitiesIn looks at all values below those fields of a pod that hold quantities.
func quantitiesIn(value any, within bool) error {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if err := quantitiesIn(inner, within || holdsQuantities(key)); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range v {
			if err := quantitiesIn(inner, within); err != nil {
				return err
			}
		}
	case string:
		return quantity(v, within)
	case json.Number:
		return quantity(v.String(), within)
	}
	return nil
}

func quantity(text string, within bool) error {
	if !within {
		return nil
	}
	if _, err := v1beta1.ParseQuantity(strings.TrimSpace(text)); err != nil {
		return fmt.Errorf("the quantity %.32q: %w", text, err)
	}
	return nil
}

// holdsQuantities goes by the names that the fields have, as JSON is read: in whatever case.
func holdsQuantities(key string) bool {
	return slices.ContainsFunc([]string{"limits", "requests", "overhead", "sizeLimit", "divisor"}, func(name string) bool {
		return strings.EqualFold(name, key)
	})
}
