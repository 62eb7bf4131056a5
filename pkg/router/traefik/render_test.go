package traefik_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/traefik"
)

// Nobody's TraefikService is taken over unasked.
func TestForeign(t *testing.T) {
	app := appOf(canary(t))
	mine := render(t, app, rollout.Split{Weight: 10, Mirror: 30}, nil)
	for at, name := range []string{"podinfo-mirror", "podinfo"} {
		found := foundOf(mine)
		o := found[mine[at].Ref]
		o.SetLabels(nil)
		o.SetOwnerReferences(nil)
		_, err := traefik.Router{}.Render(app, rollout.Split{Mirror: 30}, found)
		require.EqualError(t, err, "TraefikService shop/"+name+" is not Weir's, and provider traefik makes its own; give it the "+
			"label weir.dev/canary=podinfo for Weir to take it over, or make this Canary anew with another spec.service.name")

		yes := true
		o.SetLabels(app.Labels)
		o.SetOwnerReferences([]metav1.OwnerReference{
			{APIVersion: "flagger.app/v1beta1", Kind: "Canary", Name: "old", UID: "9", Controller: &yes},
		})
		_, err = traefik.Router{}.Render(app, rollout.Split{Mirror: 30}, found)
		require.ErrorContains(t, err, "TraefikService shop/"+name+" belongs to Canary old; delete it there")
	}
	found := foundOf(mine)
	found[mine[0].Ref].SetLabels(nil)
	found[mine[0].Ref].SetOwnerReferences(nil)
	require.Len(t, render(t, app, rollout.Split{Weight: 10}, found), 1, "where nothing is copied it is in nobody's way")
	released, err := traefik.Router{}.Release(app, found)
	require.NoError(t, err)
	require.Len(t, released, 1, "and it is not Weir's to delete")

	found[mine[1].Ref].SetLabels(nil)
	found[mine[1].Ref].SetOwnerReferences(nil)
	require.Equal(t, rollout.Route{}, traefik.Router{}.Read(app, rollout.Split{}, found))
	released, err = traefik.Router{}.Release(app, found)
	require.NoError(t, err)
	require.Empty(t, released)
}

// users is a TraefikService that its label gives to Weir.
func users(app router.App, spec map[string]any) router.Found {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	o.SetName("podinfo")
	o.SetNamespace("shop")
	o.SetLabels(app.Labels)
	return router.Found{traefik.Router{}.Refs(app)[1]: o}
}

// What is given to Weir must have nothing that would be lost.
func TestTransfer(t *testing.T) {
	app := appOf(canary(t))
	apex := func(more ...any) map[string]any {
		o := map[string]any{"name": "podinfo", "port": int64(9898)}
		for i := 0; i < len(more); i += 2 {
			o[more[i].(string)] = more[i+1]
		}
		return map[string]any{"weighted": map[string]any{"services": []any{o}}}
	}
	legacy := apex()
	setServices(legacy, append(services(legacy), map[string]any{"name": "legacy", "port": int64(80)})...)
	elsewhere := apex("namespace", "other")
	with := func(kind string) map[string]any {
		spec := apex()
		spec[kind] = map[string]any{"name": "podinfo"}
		return spec
	}
	sticky := apex()
	sticky["weighted"].(map[string]any)["sticky"] = map[string]any{"cookie": map[string]any{"name": "a"}}
	for name, c := range map[string]struct {
		spec map[string]any
		says string
	}{
		"the apex alone": {apex(), ""},
		"with what is Weir's own to say": {apex(
			"kind", "Service", "namespace", "shop", "weight", int64(7), "nativeLB", true, "passHostHeader", true), ""},
		"nothing at all":         {map[string]any{}, ""},
		"another Service":        {legacy, "sends requests to legacy, too, and Weir makes the apex Service podinfo all of it"},
		"of another namespace":   {elsewhere, "sends requests to podinfo, too"},
		"another TraefikService": {apex("kind", "TraefikService"), "sends requests to podinfo, too"},
		"another port":           {apex("port", int64(80)), "has spec.weighted.services[0].port, which Weir has no field for"},
		"a transport":            {apex("serversTransport", "mtls"), "has spec.weighted.services[0].serversTransport, which"},
		"another host":           {apex("passHostHeader", false), "has spec.weighted.services[0].passHostHeader, which"},
		"another scheme":         {apex("scheme", "https"), "has spec.weighted.services[0].scheme, which"},
		"users who stay":         {sticky, "has spec.weighted.sticky, which Weir cannot shift traffic by; remove the field"},
		"a mirror":               {with("mirroring"), "has spec.mirroring, which Weir cannot shift traffic by; remove the field"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := traefik.Router{}.Render(app, rollout.Split{}, users(app, c.spec))
			if c.says == "" {
				require.NoError(t, err)
				require.Len(t, objects, 1)
				return
			}
			require.ErrorContains(t, err, "TraefikService shop/podinfo "+c.says)
		})
	}
}

// Fields that Weir never sets, and so cannot take away, hold a run, and do not keep traffic from going back.
func TestDisturbed(t *testing.T) {
	app := appOf(canary(t))
	split := rollout.Split{Weight: 10, Mirror: 30}
	for name, c := range map[string]struct {
		of   int
		do   func(spec map[string]any)
		says string
	}{
		"users who stay": {1, func(spec map[string]any) {
			spec["weighted"].(map[string]any)["sticky"] = map[string]any{"cookie": map[string]any{}}
		}, "TraefikService shop/podinfo has got spec.weighted.sticky, by which requests may go another way than Weir says; " +
			"remove the field"},
		"another kind": {1, func(spec map[string]any) { spec["failover"] = map[string]any{} }, "has got spec.failover,"},
		"a mirror's transport": {0, func(spec map[string]any) {
			spec["mirroring"].(map[string]any)["serversTransport"] = "mtls"
		}, "TraefikService shop/podinfo-mirror has got spec.mirroring.serversTransport,"},
		"how bodies are copied": {0, func(spec map[string]any) { spec["mirroring"].(map[string]any)["mirrorBody"] = false }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			objects := render(t, app, split, nil)
			found := foundOf(objects)
			c.do(found[objects[c.of].Ref].Object["spec"].(map[string]any))
			read := traefik.Router{}.Read(app, split, found)
			require.Equal(t, split, read.Split)
			require.Equal(t, c.says == "", read.Accepted)
			require.Contains(t, read.Refused, c.says)
			render(t, app, rollout.Split{}, found)
		})
	}
}

// A port that is not of HTTP is refused, and one that is has its scheme said.
func TestProtocols(t *testing.T) {
	for _, c := range []struct {
		portName    string
		appProtocol string
		scheme      any
		refused     string
	}{
		{"", "", nil, ""},
		{"http", "", "http", ""},
		{"web", "", nil, ""},
		{"https-web", "", "https", ""},
		{"grpc", "", "h2c", ""},
		{"http", "kubernetes.io/h2c", "h2c", ""},
		{"", "kubernetes.io/wss", "https", ""},
		{"tls-web", "", nil, "spec.service.portName says that the port speaks tls, and a TraefikService carries requests of " +
			"HTTP alone; set spec.provider to kubernetes"},
		{"", "UDP", nil, "spec.service.appProtocol says that the port speaks udp, and"},
		{"tcp", "", nil, "spec.service.portName asks for shares of connections that are not HTTP"},
	} {
		can := canary(t)
		can.Spec.Service.PortName = c.portName
		if c.appProtocol != "" {
			can.Spec.Service.AppProtocol = &c.appProtocol
		}
		problems := traefik.Router{}.Validate(can)
		if c.refused != "" {
			require.Len(t, problems, 1, "%+v", c)
			require.Contains(t, problems[0].Message, c.refused)
			require.Equal(t, "FieldNotServed", problems[0].Reason)
			continue
		}
		require.Empty(t, problems)
		app := appOf(can)
		objects := render(t, app, rollout.Split{Weight: 10, Mirror: 30}, nil)
		mirroring := objects[0].Intent.Object["spec"].(map[string]any)["mirroring"].(map[string]any)
		for _, entry := range []any{
			mirroring, mirroring["mirrors"].([]any)[0], services(objects[1].Intent.Object["spec"].(map[string]any))[1],
		} {
			require.Equal(t, c.scheme, entry.(map[string]any)["scheme"], "%+v", c)
		}
		released, err := traefik.Router{}.Release(app, foundOf(objects))
		require.NoError(t, err)
		left := services(released[0].Object.Object["spec"].(map[string]any))[0].(map[string]any)
		require.Equal(t, c.scheme, left["scheme"])
		_, err = traefik.Router{}.Render(app, rollout.Split{}, users(app, released[0].Object.Object["spec"].(map[string]any)))
		require.NoError(t, err, "what is left can be taken on again")
	}
}

// What is read is what was rendered, whatever was found before it.
func TestReadBack(t *testing.T) {
	app := appOf(canary(t))
	found := router.Found{}
	for _, weight := range []int32{0, 1, 33, 99, 100} {
		for _, mirror := range []int32{0, 1, 100, 0} {
			split := rollout.Split{Weight: weight, Mirror: mirror}
			for _, o := range render(t, app, split, found) {
				found[o.Ref] = o.Intent
			}
			require.Equal(t, rollout.Route{Found: true, Split: split, Accepted: true}, traefik.Router{}.Read(app, split, found))
		}
	}
}

// What the mirror sends is in force only if something is sent by it.
func TestReadMirrors(t *testing.T) {
	app := appOf(canary(t))
	objects := render(t, app, rollout.Split{Mirror: 30}, nil)
	found := foundOf(objects)
	delete(found, objects[0].Ref)
	require.Equal(t, rollout.Route{Found: true}, traefik.Router{}.Read(app, rollout.Split{Mirror: 30}, found), "it is gone")
	found = foundOf(objects)
	found[objects[1].Ref] = render(t, app, rollout.Split{}, nil)[0].Intent
	read := traefik.Router{}.Read(app, rollout.Split{}, found)
	require.Equal(t, rollout.Split{}, read.Split, "nothing goes by it")
}

// Each field that asks for what Traefik cannot be told is refused by name.
func TestValidate(t *testing.T) {
	can := canary(t)
	require.Empty(t, traefik.Router{}.Validate(can))
	can.Spec.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "canary"}
	can.Spec.Analysis.Match = []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}}}
	var says []string
	for _, p := range (traefik.Router{}).Validate(can) {
		says = append(says, p.Message)
	}
	require.Equal(t, []string{
		"spec.analysis.sessionAffinity asks for session affinity, which router traefik does not offer; remove the field or " +
			"choose another spec.provider",
		"spec.analysis.match[0].headers asks for matching by header, which router traefik does not offer; remove the field or " +
			"choose another spec.provider",
	}, says)
}
