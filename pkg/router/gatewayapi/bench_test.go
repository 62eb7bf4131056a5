package gatewayapi_test

import (
	"testing"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router/gatewayapi"
)

// BenchmarkRender times what a look asks of its router: a user's route as it should be, and the split that is read back.
func BenchmarkRender(b *testing.B) {
	c := canary(b)
	c.Spec.Service = v1beta1.CanaryService{Port: 9898}
	app := appOf(c)
	found := foundOf(app, userRoute(b))
	split := rollout.Split{Weight: 10}
	b.ReportAllocs()
	for b.Loop() {
		objects, err := gatewayapi.Router{}.Render(app, split, found)
		if err != nil || len(objects) != 1 {
			b.Fatal(objects, err)
		}
		gatewayapi.Router{}.Read(app, split, found)
	}
}
