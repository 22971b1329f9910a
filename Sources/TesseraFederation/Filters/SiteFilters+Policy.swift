extension SiteFilters {
  /// A job's filters with a site's own, which always apply.
  ///
  /// Tasks pass the job's filters first, which undo what they came in, then the site's own. Answers pass the job's, then the
  /// site's own, and at last those of the job's that only write them with fewer bits (``Quantize``, ``TopK``): these work on what
  /// the site's own have let through, and tell no more than it does, while those of a site may need plain tensors.
  ///
  /// - Parameter own: The site's.
  /// - Returns: All of them, in their order.
  public func followed(by own: SiteFilters) -> SiteFilters {
    let codes = results.reversed().prefix { filter in
      filter.unscoped is Quantize || filter.unscoped is TopK
    }.count
    var all = SiteFilters(
      tasks: tasks + own.tasks,
      results: results.dropLast(codes) + own.results + results.suffix(codes)
    )
    all.ownTasks = tasks.count..<all.tasks.count
    let first = results.count - codes
    all.ownResults = first..<first + own.results.count
    return all
  }
}
