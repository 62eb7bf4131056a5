package builtin_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/router/builtin"
)

func TestByProvider(t *testing.T) {
	for _, r := range builtin.Routers(builtin.Options{}) {
		for _, provider := range []string{r.Name(), r.Name() + ":v1"} {
			found, ok := builtin.ByProvider(provider)
			require.True(t, ok, provider)
			require.Equal(t, r, found, "two routers have the name %s", r.Name())
		}
	}
	for _, provider := range []string{"", "gateway", "gatewayapis:v1"} {
		_, ok := builtin.ByProvider(provider)
		require.False(t, ok, provider)
	}
}
