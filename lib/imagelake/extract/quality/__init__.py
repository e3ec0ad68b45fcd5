"""Quality of one picture: damages by blur, noise, exposure and compression, a score, a verdict; cheap raw measures.

The four detectors are those of digiKam's Image Quality Sorter (core/libs/imgqsort), at its scale (longest side 1024
px) and with its constants. Method `digikam` computes them as the original does, faults included; method `imagelake`,
the default, corrects the faults that docs/quality.md lists and takes a fraction of the time.
"""
