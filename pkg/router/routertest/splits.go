package routertest

import (
	"maps"
	"slices"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// matches are descriptions of requests that the router claims to serve, each list unlike the others.
func (s Subject) matches() [][]v1beta1.RequestMatch {
	var lists [][]v1beta1.RequestMatch
	var all []v1beta1.RequestMatch
	add := func(feature router.Feature, m v1beta1.RequestMatch) {
		if s.Router.Features().Has(feature) {
			all = append(all, m)
			lists = append(lists, []v1beta1.RequestMatch{m})
		}
	}
	headers := map[string]v1beta1.StringMatch{
		"x-insider": {Exact: "yes"}, "x-version": {Prefix: "2."}, "x-zone": {Regex: "eu-.+|us-[0-9]"},
	}
	if s.Router.Features().Has(router.ManyConditions) {
		add(router.HeaderMatch, v1beta1.RequestMatch{Headers: headers})
	} else {
		for _, name := range slices.Sorted(maps.Keys(headers)) {
			add(router.HeaderMatch, v1beta1.RequestMatch{Headers: map[string]v1beta1.StringMatch{name: headers[name]}})
		}
	}
	add(router.HeaderMatch, v1beta1.RequestMatch{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "maybe"}}})
	add(router.QueryMatch, v1beta1.RequestMatch{QueryParams: map[string]v1beta1.StringMatch{
		"beta": {Exact: "1"}, "user": {Prefix: "a(b"}, "zone": {Regex: "eu-.+"},
	}})
	add(router.MethodMatch, v1beta1.RequestMatch{Method: "GET"})
	add(router.SourceMatch, v1beta1.RequestMatch{SourceLabels: map[string]string{"app": "shop"}})
	if len(all) > 1 && s.Router.Features().Has(router.ManyConditions) {
		lists = append(lists, all)
	}
	return lists
}

// splits are all kinds of splits that the router claims to serve. The last two give the canary nothing but a
// share, and nothing at all.
func (s Subject) splits() []rollout.Split {
	has := s.Router.Features().Has
	var all []rollout.Split
	for _, m := range s.matches() {
		all = append(all, rollout.Split{Match: m}, rollout.Split{Weight: 30, Match: m})
	}
	if has(router.MirrorsPercent) {
		all = append(all, rollout.Split{Mirror: 1}, rollout.Split{Mirror: 99})
	}
	if has(router.Mirrors) {
		all = append(all, rollout.Split{Mirror: 100})
	}
	return append(all, s.fullest(), share(30), share(0))
}

// fullest is a split of everything that the router claims to serve at once.
func (s Subject) fullest() rollout.Split {
	full := share(10)
	if m := s.matches(); len(m) > 0 {
		full.Match = m[len(m)-1]
	}
	if s.Router.Features().Has(router.Mirrors) {
		full.Mirror = 100
	}
	return full
}

// ways are those of the objects as they are.
func (b *bench) ways() []string {
	b.Helper()
	if b.Ways == nil {
		return nil
	}
	return b.Ways(b.objects())
}

// walk goes through all splits, and back from each to none.
func (b *bench) walk() {
	b.Helper()
	affine := b.app.Canary.Spec.Analysis.SessionAffinity != nil
	for _, split := range b.splits() {
		b.apply(share(0))
		b.inForce(share(0))
		require.Empty(b, b.ways(), "the canary gets nothing")
		b.apply(split)
		b.stands(split)
		if len(split.Match) > 0 || split.Mirror > 0 {
			require.NotEmpty(b, b.ways(), "%+v", split)
		} else if !affine {
			require.Empty(b, b.ways(), "%+v", split)
		}
		b.readAs(split)
	}
	var before rollout.Split
	var last []string
	for _, split := range b.splits() { // straight from one to the next
		b.apply(split)
		b.inForce(split)
		ways := b.ways()
		if before.Weight = split.Weight; !before.Equal(split) {
			require.NotEqual(b, last, ways, "%+v", split)
		}
		before, last = split, ways
	}
}

// readAs says that a split in force is not taken for another, whichever is the committed one.
func (b *bench) readAs(split rollout.Split) {
	b.Helper()
	for _, other := range b.splits() {
		read := b.Router.Read(b.app, other, b.found()).Split
		require.Equal(b, split.Equal(other), read.Equal(other), "%+v is in force, %+v is committed, %+v is read", split, other, read)
		if len(split.Match) > 0 {
			require.NotEmpty(b, read.Match, "requests go to the canary by a match")
		}
	}
}

// sticks says that users are kept with the canary only while both sides have a share, and with that canary only.
func (b *bench) sticks() {
	b.Helper()
	for _, weight := range []int32{1, 50, 99} {
		b.apply(share(0))
		b.inForce(share(0))
		require.Empty(b, b.ways())
		b.apply(share(weight))
		b.stands(share(weight))
		require.NotEmpty(b, b.ways(), "by a cookie")
		b.apply(share(100))
		b.inForce(share(100))
		require.Empty(b, b.ways(), "there is nothing to keep anybody from")
	}
	b.apply(share(50))
	before := b.ways()
	b.app.Canary.Status.Canary.Hash = "66fd"
	b.accept()
	require.False(b, b.read().Accepted, "the cookie is that of the canary before")
	b.apply(share(50))
	b.stands(share(50))
	require.NotEqual(b, before, b.ways())
}
