/// What makes an update private that leaves its site only within a sum: noise that the sites add together.
struct SumProtection: Sendable {
  /// What the sum costs each site, towards whoever sees it; nothing if no noise can be counted.
  var events: [PrivacyEvent]
  /// Names the sum: each is a release of its own, whatever is summed, because its survivors may be others.
  var session: String
}
