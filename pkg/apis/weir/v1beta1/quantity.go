package v1beta1

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// The longest quantity that is read, and the digits of its exponent. Kubernetes' own reader takes time and memory by the
// value of the exponent: a text of thirty characters can keep it busy for minutes.
const (
	longestQuantity = 64
	exponentDigits  = 3
)

// ParseQuantity is resource.ParseQuantity for a text that anybody may have written. It is quick whatever that is: one that is
// longer than 64 characters, or has an exponent of more than three digits, is an error.
func ParseQuantity(text string) (resource.Quantity, error) {
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if len(text) > longestQuantity || len(strings.TrimLeft(exponent, "+-")) > exponentDigits {
		return resource.Quantity{}, fmt.Errorf("%.32q is too large for a quantity", text)
	}
	return resource.ParseQuantity(text)
}
