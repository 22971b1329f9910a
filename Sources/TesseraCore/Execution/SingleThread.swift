internal import CTessera

/// Runs tensor work whose operations use no thread but the calling one.
///
/// For small work on many threads at a time, none of which is a ``ComputeLane``: each would bring a team of its own, and teams that
/// wait for one another take longer than the work.
package func onSingleThread<Result>(_ body: () throws -> Result) rethrows -> Result {
  let before = tessera_threads()
  tessera_use_threads(1)
  defer { tessera_use_threads(before) }
  return try body()
}
