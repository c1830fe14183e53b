// Names by content, not by the folder that the source lies in: the same source always gives the same bytes.
module.exports = { optimization: { moduleIds: 'natural', chunkIds: 'natural' } };
